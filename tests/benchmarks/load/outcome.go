package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// outcome is what is printed.
type outcome struct {
	Seconds          float64 `json:"seconds"`
	LoadCPUSeconds   float64 `json:"load_cpu_seconds"`
	ServerCPUSeconds float64 `json:"server_cpu_seconds"`
	// ServerPeakRSS is that of the process that had the highest.
	ServerPeakRSS int64    `json:"server_peak_rss_bytes"`
	Measured      *counted `json:"measured"`
	Beside        *counted `json:"beside,omitempty"`
	// Ended is when callers stopped to begin calls. It is told of calls with a deadline.
	Ended int64 `json:"ended_unix_ns,omitempty"`
}

// counted is what came to a group. Numbers stand for decisions and reasons, as on the wire; 0 for one not readable.
type counted struct {
	Statuses        map[string]int `json:"statuses"`
	Items           int            `json:"items"`
	Crossed         int            `json:"crossed"`
	Stale           int            `json:"stale"`
	Decisions       map[uint64]int `json:"decisions"`
	Reasons         map[uint64]int `json:"reasons"`
	MeanAnswerBytes float64        `json:"mean_answer_bytes"`
	LatencyP50      int64          `json:"latency_p50_ns"`
	LatencyP90      int64          `json:"latency_p90_ns"`
	LatencyP99      int64          `json:"latency_p99_ns"`
	LatencyMax      int64          `json:"latency_max_ns"`
	// Of calls with a deadline: answered OK before it, not begun since those before took too long, and the latency of
	// those that were answered OK or expired.
	InTime      int   `json:"in_time,omitempty"`
	Missed      int   `json:"missed,omitempty"`
	AdmittedP99 int64 `json:"latency_admitted_p99_ns,omitempty"`
}

// measured waits for the load to end. CPU is that of the time that counts alone. Streams held open are cancelled. Where
// calls have a deadline, the load may be too much for the server, and processes of it may end.
func (l *load) measured(o options, cancel context.CancelFunc) (*outcome, error) {
	time.Sleep(o.warmup)
	mayEnd := o.measured.deadline > 0
	before, err := cpuNow(o.serverPIDs, mayEnd)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	l.phase.Store(counting)
	time.Sleep(o.duration)
	l.phase.Store(over)
	ended := time.Now()
	seconds := ended.Sub(start).Seconds()
	after, err := cpuNow(o.serverPIDs, mayEnd)
	if err != nil {
		return nil, err
	}
	if o.beside.kind == "reflect" {
		cancel()
	}
	l.done.Wait()
	if err := l.ensureBounded(); err != nil {
		return nil, err
	}
	peak, err := peakRSS(o.serverPIDs, mayEnd)
	if err != nil {
		return nil, err
	}
	result := &outcome{
		Seconds:          seconds,
		LoadCPUSeconds:   after.load - before.load,
		ServerCPUSeconds: after.serverSince(before),
		ServerPeakRSS:    peak,
		Measured:         count(l.groups[0]),
	}
	if len(l.groups[1]) > 0 {
		result.Beside = count(l.groups[1])
	}
	if o.measured.deadline > 0 {
		result.Ended = ended.UnixNano()
		return result, nil
	}
	if result.Measured.LatencyMax == 0 {
		return nil, fmt.Errorf("no call was answered OK, but: %v", result.Measured.Statuses)
	}
	return result, nil
}

// ensureBounded tells whether every caller could call until the time was over.
func (l *load) ensureBounded() error {
	for _, callers := range l.groups {
		for _, c := range callers {
			if c.left == 0 {
				return errors.New("a caller made as many calls as it may: see -most-calls")
			}
		}
	}
	return nil
}

// count adds up what came to a group's callers.
func count(callers []*caller) *counted {
	out := &counted{Statuses: map[string]int{}, Decisions: map[uint64]int{}, Reasons: map[uint64]int{}}
	var latencies, expired []time.Duration
	var answerBytes int
	for _, c := range callers {
		latencies = append(latencies, c.latencies...)
		expired = append(expired, c.expired...)
		answerBytes += c.answerBytes
		out.InTime += c.inTime
		out.Missed += c.missed
		out.Items += c.items
		out.Crossed += c.crossed
		out.Stale += c.stale
		add(out.Statuses, c.statuses)
		add(out.Decisions, c.decisions)
		add(out.Reasons, c.reasons)
	}
	if admitted := slices.Concat(latencies, expired); callers[0].deadline > 0 && len(admitted) > 0 {
		slices.Sort(admitted)
		out.AdmittedP99 = percentile(admitted, 99)
	}
	if len(latencies) == 0 {
		return out
	}
	slices.Sort(latencies)
	out.MeanAnswerBytes = float64(answerBytes) / float64(len(latencies))
	out.LatencyP50 = percentile(latencies, 50)
	out.LatencyP90 = percentile(latencies, 90)
	out.LatencyP99 = percentile(latencies, 99)
	out.LatencyMax = latencies[len(latencies)-1].Nanoseconds()
	return out
}

func add[Key comparable](sum, more map[Key]int) {
	for key, n := range more {
		sum[key] += n
	}
}

// percentile is the smallest latency that at least percent of all do not exceed.
func percentile(sorted []time.Duration, percent int) int64 {
	return sorted[(len(sorted)*percent+99)/100-1].Nanoseconds()
}
