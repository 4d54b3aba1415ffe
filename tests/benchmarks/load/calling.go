package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	warmingUp int32 = iota
	counting
	over
)

// load is groups of callers at work.
type load struct {
	phase  atomic.Int32
	groups [][]*caller
	done   sync.WaitGroup
}

// caller makes one call after the other, and keeps what came of them.
type caller struct {
	connection *grpc.ClientConn
	ask        asker
	pace       pace
	// left is how many calls it may still make.
	left     int
	deadline time.Duration
	heeds    bool

	latencies []time.Duration
	// expired is how long calls took whose deadline passed.
	expired []time.Duration
	// inTime counts those that were answered before their deadline, missed those that could not begin when due.
	inTime      int
	missed      int
	statuses    map[string]int
	decisions   map[uint64]int
	reasons     map[uint64]int
	items       int
	crossed     int
	stale       int
	answerBytes int
}

// start lets a group of callers call.
func (l *load) start(
	ctx context.Context, connections []*grpc.ClientConn, requests *requests, g group, seed uint64,
) error {
	var callers []*caller
	for i := range g.callers {
		ask, err := newAsker(g, i, requests, rand.New(rand.NewPCG(seed, uint64(i))), connections)
		if err != nil {
			return err
		}
		callers = append(callers, &caller{
			connection: connections[i%len(connections)],
			ask:        ask,
			pace:       newPace(g, i),
			left:       max(1, g.mostCalls/g.callers),
			deadline:   g.deadline,
			heeds:      g.heeds,
			latencies:  make([]time.Duration, 0, (1<<20)/g.callers),
			statuses:   map[string]int{},
			decisions:  map[uint64]int{},
			reasons:    map[uint64]int{},
		})
	}
	l.groups = append(l.groups, callers)
	for _, c := range callers {
		l.done.Go(func() {
			for l.phase.Load() != over && c.left > 0 {
				c.left--
				err := c.call(ctx, &l.phase)
				if c.heeds && l.phase.Load() != over {
					time.Sleep(retryDelay(err))
				}
			}
		})
	}
	return nil
}

// call makes one call. It counts if it ends while counting; without a deadline a failure always counts, so that none
// goes unseen. It gives the error of the call.
func (c *caller) call(ctx context.Context, phase *atomic.Int32) error {
	var missed int
	if c.deadline > 0 {
		missed = c.pace.skip()
	}
	start := c.pace.next()
	if c.deadline > 0 {
		limited, cancel := context.WithDeadline(ctx, start.Add(c.deadline))
		defer cancel()
		ctx = limited
	}
	got, err := c.ask(ctx, c.connection)
	took := time.Since(start)
	if phase.Load() == over && status.Code(err) == codes.Canceled {
		return err // a stream that was held open to the end
	}
	if phase.Load() != counting && (err == nil || c.deadline > 0) {
		return err
	}
	c.missed += missed
	c.count(got, err, took)
	return err
}

// count adds the outcome of a call.
func (c *caller) count(got answer, err error, took time.Duration) {
	c.statuses[named(err)]++
	if status.Code(err) == codes.DeadlineExceeded {
		c.expired = append(c.expired, took)
	}
	if err != nil {
		return
	}
	if took <= c.deadline {
		c.inTime++
	}
	c.latencies = append(c.latencies, took)
	c.items += got.items
	c.crossed += got.crossed
	c.stale += got.stale
	c.decisions[got.decision]++
	c.reasons[got.reason]++
	c.answerBytes += got.size
}

// pace says when calls begin. A call that begins late, since the one before took long, is measured from when it should
// have: what a caller who does not wait would see.
type pace struct {
	interval  time.Duration
	scheduled time.Time
}

func newPace(g group, number int) pace {
	if g.rate == 0 {
		return pace{}
	}
	interval := time.Duration(float64(g.callers) / g.rate * float64(time.Second))
	return pace{interval, time.Now().Add(interval * time.Duration(number) / time.Duration(g.callers))}
}

func (p *pace) next() time.Time {
	if p.interval == 0 {
		return time.Now()
	}
	scheduled := p.scheduled
	p.scheduled = scheduled.Add(p.interval)
	time.Sleep(time.Until(scheduled))
	return scheduled
}

// skip gives up the calls that should have begun more than an interval ago, and tells how many they are.
func (p *pace) skip() int {
	if p.interval == 0 {
		return 0
	}
	behind := max(0, int(time.Since(p.scheduled)/p.interval))
	p.scheduled = p.scheduled.Add(p.interval * time.Duration(behind))
	return behind
}
