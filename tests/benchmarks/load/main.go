// Load sends CheckOperation to a server for a fixed time and prints what came of it as JSON.
//
// It speaks no protobuf: requests are put together by hand and of an answer only what is counted is read, so that the
// server, and not the load, is what takes the time.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// patience is how long calls that are under way at the end may still take.
const patience = 10 * time.Second

type options struct {
	target      string
	serverPID   int
	ids         string
	customers   int
	checks      string
	callers     int
	connections int
	warmup      time.Duration
	duration    time.Duration
	seed        uint64
}

func parsedOptions() options {
	var o options
	flag.StringVar(&o.target, "target", "", "HOST:PORT of the server")
	flag.IntVar(&o.serverPID, "server-pid", 0, "its process, whose CPU and memory are told")
	flag.StringVar(&o.ids, "ids", "customer-%07d", "format of a customer's id")
	flag.IntVar(&o.customers, "customers", 1, "how many customers there are, numbered from 0")
	flag.StringVar(&o.checks, "checks", "", "what is asked, as BILLING_MODE:OPERATION,… in numbers")
	flag.IntVar(&o.callers, "callers", 8, "how many call at once, each waiting for its answer")
	flag.IntVar(&o.connections, "connections", 4, "how many connections they share, at most one each")
	flag.DurationVar(&o.warmup, "warmup", time.Second, "how long to call before anything is counted")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long to count")
	flag.Uint64Var(&o.seed, "seed", 0, "of what is drawn")
	flag.Parse()
	return o
}

func main() {
	// Seldom collecting garbage takes the least from the server, which shares the cores.
	debug.SetGCPercent(1000)
	if err := run(parsedOptions()); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	requests, err := newRequests(o.ids, o.customers, o.checks)
	if err != nil {
		return err
	}
	connections, err := connected(o.target, min(o.connections, o.callers))
	if err != nil {
		return err
	}
	// No deadline in the context: it would travel in every request.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer time.AfterFunc(o.warmup+o.duration+patience, cancel).Stop()
	load := startCalling(ctx, connections, requests, o)
	outcome, err := load.measured(o)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(outcome)
}

func connected(target string, count int) ([]*grpc.ClientConn, error) {
	connections := make([]*grpc.ClientConn, count)
	for i := range connections {
		connection, err := grpc.NewClient(
			"passthrough:///"+target,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithNoProxy(),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})),
		)
		if err != nil {
			return nil, err
		}
		connections[i] = connection
	}
	return connections, nil
}
