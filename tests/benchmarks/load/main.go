// Load puts callers on a server for a fixed time and prints what came of it as JSON.
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
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// patience is how long calls that are under way at the end may still take.
const patience = 10 * time.Second

type options struct {
	target      string
	serverPIDs  pids
	ids         string
	customers   int
	checks      string
	measured    group
	beside      group
	connections int
	warmup      time.Duration
	duration    time.Duration
	seed        uint64
	identity    identity
	peer        string
}

// group is callers that do the same: how many at once, each waiting for its answer.
type group struct {
	kind    string
	callers int
	batch   int
	// rate is how many calls a second they begin together, whether those before are answered or not; 0: as many as go.
	rate float64
	// mostCalls is how many they make together at most, so that none goes on without end.
	mostCalls int
	// deadline is how long an answer may take; 0: as long as it takes.
	deadline time.Duration
	// heeds says that a caller who is refused waits as long as the server asks for.
	heeds bool
}

type pids []int

func (p *pids) String() string { return fmt.Sprint(*p) }

func (p *pids) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		pid, err := strconv.Atoi(one)
		if err != nil {
			return err
		}
		*p = append(*p, pid)
	}
	return nil
}

func parsedOptions() options {
	var o options
	flag.StringVar(&o.target, "target", "", "HOST:PORT of the server")
	flag.Var(&o.serverPIDs, "server-pids", "its processes, PID,…, whose CPU and memory are told")
	flag.StringVar(&o.ids, "ids", "customer-%07d", "format of a customer's id")
	flag.IntVar(&o.customers, "customers", 1, "how many customers there are, numbered from 0")
	flag.StringVar(&o.checks, "checks", "", "what is asked, as BILLING_MODE:OPERATION,… in numbers")
	groupFlags(&o.measured, "", 8)
	groupFlags(&o.beside, "beside-", 0)
	flag.IntVar(&o.connections, "connections", 16, "how many connections each group shares, at most one a caller")
	flag.DurationVar(&o.warmup, "warmup", time.Second, "how long to call before anything is counted")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long to count")
	flag.Uint64Var(&o.seed, "seed", 0, "of what is drawn")
	identityFlags(&o.identity)
	flag.StringVar(&o.peer, "peer", "", "JSON file of the method, requests and metadata that kind call sends")
	flag.DurationVar(&o.measured.deadline, "deadline", 0, "of each measured call; calls that cannot begin are missed")
	flag.BoolVar(&o.measured.heeds, "heed-retry-info", false, "wait after a refusal as long as the server asks for")
	flag.Parse()
	return o
}

func groupFlags(g *group, prefix string, callers int) {
	flag.StringVar(&g.kind, prefix+"kind", "check", "what is called: check, batch, change, pair, list, reflect or call")
	flag.IntVar(&g.callers, prefix+"callers", callers, "how many call at once")
	flag.IntVar(&g.batch, prefix+"batch", 100, "how many checks a batch has")
	flag.Float64Var(&g.rate, prefix+"rate", 0, "calls begun in a second; 0: each when the one before is answered")
	flag.IntVar(&g.mostCalls, prefix+"most-calls", 5_000_000, "how many calls are made at most; more fail the load")
}

func identityFlags(i *identity) {
	flag.StringVar(&i.ca, "ca", "", "PEM file of the server's authorities: connect by TLS; plaintext without it")
	flag.StringVar(&i.certificate, "certificate", "", "PEM file of the callers' certificate")
	flag.StringVar(&i.key, "key", "", "PEM file of its key")
	flag.StringVar(&i.tokens, "tokens", "", "file of bearer tokens, one a line: each call sends the next one, in turn")
	flag.BoolVar(&i.eachOnce, "each-token-once", false, "fail if there are fewer tokens than calls")
	flag.StringVar(&i.stranger, "stranger", "", "the status for a caller who shows nothing, tried first; none: not tried")
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
	if requests.peer, err = newPeer(o.peer); err != nil {
		return err
	}
	// No deadline in the context: it would travel in every request.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer time.AfterFunc(o.warmup+o.duration+patience, cancel).Stop()
	transport, bearer, err := o.identity.credentials()
	if err != nil {
		return err
	}
	load := &load{}
	for _, g := range []group{o.measured, o.beside} {
		connections, err := connected(o.target, min(o.connections, g.callers), transport, bearer)
		if err != nil {
			return err
		}
		if len(connections) > 0 {
			if err := o.identity.ensureExpected(ctx, o.target, connections[0], requests.checkOf(0)); err != nil {
				return err
			}
		}
		if err := load.start(ctx, connections, requests, g, o.seed); err != nil {
			return err
		}
	}
	outcome, err := load.measured(o, cancel)
	if few := bearer.ensureEnough(); few != nil {
		return few
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(outcome)
}

// connected gives connections that are made with the first call. Without a bearer, calls carry no token.
func connected(
	target string, count int, transport credentials.TransportCredentials, bearer *bearer,
) ([]*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})),
	}
	if bearer != nil {
		options = append(options, grpc.WithPerRPCCredentials(bearer))
	}
	connections := make([]*grpc.ClientConn, count)
	for i := range connections {
		connection, err := grpc.NewClient("passthrough:///"+target, options...)
		if err != nil {
			return nil, err
		}
		connections[i] = connection
	}
	return connections, nil
}
