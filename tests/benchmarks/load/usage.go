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

// cpu is seconds of all cores: this process's, and all the server's processes'.
type cpu struct {
	load   float64
	server float64
}

func cpuNow(server pids) (cpu, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return cpu{}, err
	}
	now := cpu{load: seconds(used.Utime) + seconds(used.Stime)}
	for _, pid := range server {
		one, err := processCPU(pid)
		if err != nil {
			return cpu{}, err
		}
		now.server += one
	}
	return now, nil
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

// peakRSS is that of the process that had the highest.
func peakRSS(server pids) (int64, error) {
	var highest int64
	for _, pid := range server {
		one, err := processPeakRSS(pid)
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
