package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

const method = "/frostgate.v1.PolicyDecisionService/CheckOperation"

const (
	warmingUp int32 = iota
	counting
	over
)

// load is callers at work.
type load struct {
	phase   atomic.Int32
	callers []*caller
	done    sync.WaitGroup
}

// caller sends one request after the other, and keeps what came of them.
type caller struct {
	connection *grpc.ClientConn
	requests   *requests
	random     *rand.Rand

	latencies   []time.Duration
	statuses    map[string]int
	decisions   map[uint64]int
	reasons     map[uint64]int
	answerBytes int
}

func startCalling(ctx context.Context, connections []*grpc.ClientConn, requests *requests, o options) *load {
	l := &load{}
	for i := range o.callers {
		l.callers = append(l.callers, &caller{
			connection: connections[i%len(connections)],
			requests:   requests,
			random:     rand.New(rand.NewPCG(o.seed, uint64(i))),
			latencies:  make([]time.Duration, 0, 1<<16),
			statuses:   map[string]int{},
			decisions:  map[uint64]int{},
			reasons:    map[uint64]int{},
		})
	}
	for _, c := range l.callers {
		l.done.Go(func() {
			for l.phase.Load() != over {
				c.call(ctx, &l.phase)
			}
		})
	}
	return l
}

// call makes one call. It counts if it ends while counting; a failure always counts, so that none goes unseen.
func (c *caller) call(ctx context.Context, phase *atomic.Int32) {
	request := c.requests.draw(c.random)
	var got answer
	start := time.Now()
	err := c.connection.Invoke(ctx, method, request, &got)
	took := time.Since(start)
	if err == nil && phase.Load() != counting {
		return
	}
	c.statuses[status.Code(err).String()]++
	if err != nil {
		return
	}
	c.latencies = append(c.latencies, took)
	c.decisions[got.decision]++
	c.reasons[got.reason]++
	c.answerBytes += got.size
}
