package main

import (
	"context"
	"math/rand/v2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// workerKey names the worker that answered, in the trailing metadata.
const workerKey = "frostgate-worker"

// Numbers of a FreezeState, and of fields: of both change responses, and of CheckOperationResponse.
const (
	normal        = 1
	accountFrozen = 2

	changeRevisionField = 3
	freezeStateField    = 4
	checkRevisionField  = 7
)

// changingAndChecking changes a customer by one connection and checks it by another, most often one that leads to
// another worker: where a connection leads is learned from its answers.
func changingAndChecking(
	requests *requests, number int, random *rand.Rand, connections []*grpc.ClientConn,
) asker {
	frozen := false
	leadsTo := map[*grpc.ClientConn]string{}
	return func(ctx context.Context, _ *grpc.ClientConn) (answer, error) {
		writer := connections[random.IntN(len(connections))]
		reader := connections[random.IntN(len(connections))]
		for range 3 {
			if leadsTo[reader] == "" || leadsTo[reader] != leadsTo[writer] {
				break
			}
			reader = connections[random.IntN(len(connections))]
		}
		path, after := freezePath, uint64(accountFrozen)
		if frozen {
			path, after = unfreezePath, normal
		}
		var change, check raw
		var changedBy, checkedBy metadata.MD
		if err := writer.Invoke(ctx, path, requests.change(number, random), &change, grpc.Trailer(&changedBy)); err != nil {
			return answer{}, err
		}
		frozen = !frozen
		if err := reader.Invoke(ctx, checkPath, requests.checkOf(number), &check, grpc.Trailer(&checkedBy)); err != nil {
			return answer{}, err
		}
		leadsTo[writer], leadsTo[reader] = worker(changedBy), worker(checkedBy)
		got := answer{items: 1, size: len(check)}
		if leadsTo[writer] != leadsTo[reader] {
			got.crossed = 1
		}
		if field(check, freezeStateField) != after ||
			field(check, checkRevisionField) < field(change, changeRevisionField) {
			got.stale = 1
		}
		return got, nil
	}
}

func worker(trailer metadata.MD) string {
	if values := trailer.Get(workerKey); len(values) == 1 {
		return values[0]
	}
	return ""
}
