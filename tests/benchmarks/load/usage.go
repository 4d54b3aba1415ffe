package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// ticksPerSecond is what Linux counts CPU time in, as it shows it to programs.
const ticksPerSecond = 100

// cpu is seconds of all cores: this process's, and each process's of the server.
type cpu struct {
	load   float64
	server map[int]float64
}

// cpuNow leaves out processes that have ended, if they may.
func cpuNow(server pids, mayEnd bool) (cpu, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return cpu{}, err
	}
	now := cpu{seconds(used.Utime) + seconds(used.Stime), map[int]float64{}}
	for _, pid := range server {
		one, err := processCPU(pid)
		if err != nil && mayEnd {
			continue
		}
		if err != nil {
			return cpu{}, err
		}
		now.server[pid] = one
	}
	return now, nil
}

// serverSince is the CPU of the server's processes that were there before and are there now.
func (now cpu) serverSince(before cpu) float64 {
	var used float64
	for pid, one := range now.server {
		used += one - before.server[pid]
	}
	return used
}

func seconds(time syscall.Timeval) float64 {
	return float64(time.Sec) + float64(time.Usec)/1e6
}

func processCPU(pid int) (float64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may hold spaces; the fields after it are counted from the state, which is the third.
	fields := bytes.Fields(content[bytes.LastIndexByte(content, ')')+1:])
	var ticks int64
	for _, field := range fields[14-3 : 16-3] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return float64(ticks) / ticksPerSecond, nil
}

// peakRSS is that of the process that had the highest. Processes that have ended are left out, if they may.
func peakRSS(server pids, mayEnd bool) (int64, error) {
	var highest int64
	for _, pid := range server {
		one, err := processPeakRSS(pid)
		if err != nil && mayEnd {
			continue
		}
		if err != nil {
			return 0, err
		}
		highest = max(highest, one)
	}
	return highest, nil
}

func processPeakRSS(pid int) (int64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(content) {
		var kibibytes int64
		if _, err := fmt.Sscanf(string(line), "VmHWM: %d kB", &kibibytes); err == nil {
			return kibibytes * 1024, nil
		}
	}
	return 0, fmt.Errorf("process %d does not tell its peak memory", pid)
}
