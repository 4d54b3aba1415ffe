package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"google.golang.org/grpc"
)

const (
	checkPath    = "/frostgate.v1.PolicyDecisionService/CheckOperation"
	batchPath    = "/frostgate.v1.PolicyDecisionService/BatchCheckOperations"
	freezePath   = "/frostgate.v1.CustomerFreezeService/FreezeCustomer"
	unfreezePath = "/frostgate.v1.CustomerFreezeService/UnfreezeCustomer"
	listPath     = "/frostgate.v1.CustomerFreezeService/ListFreezeEvents"
	reflectPath  = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
)

// largestPage is how many events a listing asks for.
const largestPage = 1000

// asker makes one call of its kind.
type asker func(ctx context.Context, connection *grpc.ClientConn) (answer, error)

func newAsker(
	g group, number int, requests *requests, random *rand.Rand, connections []*grpc.ClientConn,
) (asker, error) {
	switch g.kind {
	case "check":
		return checking(requests, random), nil
	case "batch":
		return checkingMany(requests, random, g.batch), nil
	case "change":
		return changing(requests, number, random), nil
	case "pair":
		return changingAndChecking(requests, number, random, connections), nil
	case "list":
		return listing, nil
	case "reflect":
		return reflecting, nil
	case "call":
		return callingPeer(requests.peer, random)
	}
	return nil, fmt.Errorf("kind %q is none of check, batch, change, pair, list, reflect, call", g.kind)
}

func checking(requests *requests, random *rand.Rand) asker {
	return func(ctx context.Context, connection *grpc.ClientConn) (answer, error) {
		var got decided
		err := connection.Invoke(ctx, checkPath, requests.draw(random), &got)
		return answer(got), err
	}
}

func checkingMany(requests *requests, random *rand.Rand, size int) asker {
	return func(ctx context.Context, connection *grpc.ClientConn) (answer, error) {
		var got decidedMany
		err := connection.Invoke(ctx, batchPath, requests.drawMany(random, size), &got)
		if err == nil && got.items != size {
			err = fmt.Errorf("%d of %d checks were decided", got.items, size)
		}
		return answer(got), err
	}
}

// changing freezes and unfreezes one customer in turn, of which no other caller of its group knows.
func changing(requests *requests, number int, random *rand.Rand) asker {
	frozen := false
	return func(ctx context.Context, connection *grpc.ClientConn) (answer, error) {
		path := freezePath
		if frozen {
			path = unfreezePath
		}
		var got whole
		err := connection.Invoke(ctx, path, requests.change(number, random), &got)
		if err == nil {
			frozen = !frozen
		}
		return answer(got), err
	}
}

func listing(ctx context.Context, connection *grpc.ClientConn) (answer, error) {
	var got whole
	err := connection.Invoke(ctx, listPath, pageOfEvents(largestPage), &got)
	return answer(got), err
}

// reflecting holds a stream open once it was answered, until the load is over.
func reflecting(ctx context.Context, connection *grpc.ClientConn) (answer, error) {
	description := grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := connection.NewStream(ctx, &description, reflectPath)
	if err != nil {
		return answer{}, err
	}
	if err := stream.SendMsg(listServices()); err != nil {
		return answer{}, err
	}
	var got whole
	for err == nil {
		err = stream.RecvMsg(&got)
	}
	return answer(got), err
}
