// Package measure is what the Go programs share with those in C++ (bench/measure.h): payloads, the
// clock around the work, and the one JSON line that bench/compare reads.
package measure

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// Clock is what had been used of the machine at one moment.
type Clock struct {
	wall      time.Time
	user, sys float64
	rss       int64
}

// Read reads the clocks.
func Read() Clock {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		Die(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)*1e-6 }
	return Clock{time.Now(), seconds(use.Utime), seconds(use.Stime), peakRSS(use.Maxrss)}
}

// peakRSS reads /proc: getrusage's figure starts with that of whoever started this process.
func peakRSS(fallback int64) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return fallback
	}
	for _, line := range strings.Split(string(status), "\n") {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d", &kib); n == 1 {
			return kib
		}
	}
	return fallback
}

// version of a module, as the linker knows it.
func version(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == path {
				return module.Version
			}
		}
	}
	return "of unknown version"
}

// Report prints what n records cost; path is that of the client's module.
func Report(client, path string, n int64, from, to Clock) {
	user, sys := to.user-from.user, to.sys-from.sys
	wall := to.wall.Sub(from.wall).Seconds()
	fmt.Printf(`{"client":"%s %s","records":%d,"wall_s":%.4f,"user_s":%.4f,"sys_s":%.4f,`+
		`"cpu_s":%.4f,"cpu_s_per_million":%.5f,"records_per_s":%.0f,"syscalls":-1,`+
		`"syscalls_per_thousand":-1,"max_rss_kib":%d}`+"\n", client, version(path), n, wall, user,
		sys, user+sys, (user+sys)*1e6/float64(n), float64(n)/wall, to.rss)
}

// Die ends the program.
func Die(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Payloads gives the same values as Payloads in bench/measure.h.
func Payloads(size int) [][]byte {
	state := uint64(0x9e3779b97f4a7c15)
	count := 64
	if size >= 65536 {
		count = 4
	}
	all := make([][]byte, count)
	for i := range all {
		text := []byte("{")
		for len(text) < size {
			state = state*6364136223846793005 + 1442695040888963407
			text = fmt.Appendf(text, `"f%02d":"%08x","amount":%d,`,
				uint32(state>>59), uint32(state>>32), uint32(state>>44&0xffff))
		}
		all[i] = text[:size:size]
	}
	return all
}
