package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// peer is how another service is called: a unary method, serialized requests of which each call sends one, and headers.
type peer struct {
	Method   string            `json:"method"`
	Requests [][]byte          `json:"requests"`
	Metadata map[string]string `json:"metadata"`
}

// newPeer reads a file of JSON, with the requests in base64. Nothing is read if there is no file.
func newPeer(file string) (*peer, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var p peer
	if err := json.Unmarshal(content, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(p.Requests) == 0 {
		return nil, fmt.Errorf("there is no request in %s", file)
	}
	return &p, nil
}

func callingPeer(p *peer, random *rand.Rand) (asker, error) {
	if p == nil {
		return nil, errors.New("calls of kind call need -peer")
	}
	headers := metadata.New(p.Metadata)
	return func(ctx context.Context, connection *grpc.ClientConn) (answer, error) {
		var got whole
		request := p.Requests[random.IntN(len(p.Requests))]
		err := connection.Invoke(metadata.NewOutgoingContext(ctx, headers), p.Method, request, &got)
		return answer(got), err
	}, nil
}
