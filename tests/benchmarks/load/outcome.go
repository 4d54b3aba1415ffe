package main

import (
	"fmt"
	"slices"
	"time"
)

// outcome is what is printed. Numbers stand for decisions and reasons, as on the wire; 0 for one that is not readable.
type outcome struct {
	Seconds          float64        `json:"seconds"`
	Connections      int            `json:"connections"`
	Statuses         map[string]int `json:"statuses"`
	Decisions        map[uint64]int `json:"decisions"`
	Reasons          map[uint64]int `json:"reasons"`
	MeanAnswerBytes  float64        `json:"mean_answer_bytes"`
	LatencyP50       int64          `json:"latency_p50_ns"`
	LatencyP90       int64          `json:"latency_p90_ns"`
	LatencyP99       int64          `json:"latency_p99_ns"`
	LatencyMax       int64          `json:"latency_max_ns"`
	LoadCPUSeconds   float64        `json:"load_cpu_seconds"`
	ServerCPUSeconds float64        `json:"server_cpu_seconds"`
	ServerPeakRSS    int64          `json:"server_peak_rss_bytes"`
}

// measured waits for the load to end. CPU is that of the time that counts alone.
func (l *load) measured(o options) (*outcome, error) {
	time.Sleep(o.warmup)
	before, err := cpuNow(o.serverPID)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	l.phase.Store(counting)
	time.Sleep(o.duration)
	l.phase.Store(over)
	seconds := time.Since(start).Seconds()
	after, err := cpuNow(o.serverPID)
	if err != nil {
		return nil, err
	}
	l.done.Wait()
	peak, err := peakRSS(o.serverPID)
	if err != nil {
		return nil, err
	}
	result := &outcome{
		Seconds:          seconds,
		Connections:      min(o.connections, o.callers),
		LoadCPUSeconds:   after.load - before.load,
		ServerCPUSeconds: after.server - before.server,
		ServerPeakRSS:    peak,
	}
	return result, result.count(l.callers)
}

// count adds up what came to the callers.
func (out *outcome) count(callers []*caller) error {
	out.Statuses, out.Decisions, out.Reasons = map[string]int{}, map[uint64]int{}, map[uint64]int{}
	var latencies []time.Duration
	var answerBytes int
	for _, c := range callers {
		latencies = append(latencies, c.latencies...)
		answerBytes += c.answerBytes
		add(out.Statuses, c.statuses)
		add(out.Decisions, c.decisions)
		add(out.Reasons, c.reasons)
	}
	if len(latencies) == 0 {
		return fmt.Errorf("no call was answered OK, but: %v", out.Statuses)
	}
	slices.Sort(latencies)
	out.MeanAnswerBytes = float64(answerBytes) / float64(len(latencies))
	out.LatencyP50 = percentile(latencies, 50)
	out.LatencyP90 = percentile(latencies, 90)
	out.LatencyP99 = percentile(latencies, 99)
	out.LatencyMax = latencies[len(latencies)-1].Nanoseconds()
	return nil
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
