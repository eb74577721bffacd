// franz-go doing the rows of bench/compare, set as equal to the others as it can be (see
// bench/README.md). Prints the same JSON line as the C++ programs.
//
//	franzgo --do produce|consume --broker HOST:PORT --records N --size BYTES --partitions P
//	        [--acks all|1] [--idempotent 0|1] [--gzip LEVEL]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	do         = flag.String("do", "produce", "produce or consume")
	broker     = flag.String("broker", "127.0.0.1:9092", "host:port")
	topic      = flag.String("topic", "bench", "topic")
	records    = flag.Int64("records", 1_000_000, "records")
	size       = flag.Int("size", 100, "bytes of a value")
	partitions = flag.Int("partitions", 1, "partitions; a random one for each record")
	acks       = flag.String("acks", "all", "all or 1")
	idempotent = flag.Int("idempotent", 1, "0 or 1")
	gzipLevel  = flag.Int("gzip", -1, "gzip level, -1: none")
	lingerMs   = flag.Int("linger-ms", 5, "linger")
	buffered   = flag.Int("buffered", 100_000, "records held at most")
	pooled     = flag.Int("reuse", 1, "1: use records again after their promise")
)

type clock struct {
	wall      time.Time
	user, sys float64
	rss       int64
}

func read() clock {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		die(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)*1e-6 }
	return clock{time.Now(), seconds(use.Utime), seconds(use.Stime), peakRSS(use.Maxrss)}
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

// version of franz-go, as the linker knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/twmb/franz-go" {
				return module.Version
			}
		}
	}
	return "of unknown version"
}

func report(n int64, from, to clock) {
	user, sys := to.user-from.user, to.sys-from.sys
	wall := to.wall.Sub(from.wall).Seconds()
	fmt.Printf(`{"client":"franz-go %s","records":%d,"wall_s":%.4f,"user_s":%.4f,"sys_s":%.4f,`+
		`"cpu_s":%.4f,"cpu_s_per_million":%.5f,"records_per_s":%.0f,"syscalls":-1,`+
		`"syscalls_per_thousand":-1,"max_rss_kib":%d}`+"\n",
		version(), n, wall, user, sys, user+sys, (user+sys)*1e6/float64(n), float64(n)/wall, to.rss)
}

func die(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// makePayloads gives the same 64 values as Payloads in bench/measure.h.
func makePayloads(size int) [][]byte {
	state := uint64(0x9e3779b97f4a7c15)
	all := make([][]byte, 64)
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

func produce() {
	opts := []kgo.Opt{
		kgo.SeedBrokers(*broker),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(time.Duration(*lingerMs) * time.Millisecond),
		kgo.ProducerBatchMaxBytes(1_000_000),
		kgo.MaxBufferedRecords(*buffered),
	}
	if *idempotent == 0 {
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(5))
	}
	if *acks == "1" {
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()))
	}
	if *gzipLevel >= 0 {
		opts = append(opts, kgo.ProducerBatchCompression(kgo.GzipCompression().WithLevel(*gzipLevel)))
	} else {
		opts = append(opts, kgo.ProducerBatchCompression(kgo.NoCompression()))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		die(err)
	}
	ctx := context.Background()
	if err := client.Ping(ctx); err != nil {
		die(err)
	}
	payloads := makePayloads(*size)
	var delivered, failed atomic.Int64
	free := make(chan *kgo.Record, *buffered)
	promise := func(r *kgo.Record, err error) {
		if err != nil {
			failed.Add(1)
			fmt.Fprintln(os.Stderr, err)
			return
		}
		delivered.Add(1)
		if *pooled == 1 {
			select {
			case free <- r:
			default:
			}
		}
	}
	state := uint64(88172645463325252) // as Dice in bench/measure.h
	from := read()
	for i := int64(0); i < *records; i++ {
		var r *kgo.Record
		if *pooled == 1 {
			select {
			case r = <-free:
				*r = kgo.Record{}
			default:
				r = &kgo.Record{}
			}
		} else {
			r = &kgo.Record{}
		}
		r.Topic, r.Value = *topic, payloads[i%64]
		if *partitions > 1 {
			state = state*6364136223846793005 + 1442695040888963407
			r.Partition = int32((state >> 32) * uint64(*partitions) >> 32)
		}
		client.Produce(ctx, r, promise)
	}
	if err := client.Flush(ctx); err != nil {
		die(err)
	}
	to := read()
	if failed.Load() > 0 || delivered.Load() != *records {
		die(fmt.Errorf("%d delivered, %d failed", delivered.Load(), failed.Load()))
	}
	report(*records, from, to)
}

func consume() {
	where := map[int32]kgo.Offset{}
	for p := 0; p < *partitions; p++ {
		where[int32(p)] = kgo.NewOffset().At(0)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(*broker),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{*topic: where}),
		kgo.FetchMaxBytes(1_000_000),
		kgo.FetchMaxPartitionBytes(1_000_000),
		kgo.FetchMaxWait(500*time.Millisecond),
	)
	if err != nil {
		die(err)
	}
	ctx := context.Background()
	var seen int64
	var sum uint64
	from := read()
	for seen < *records {
		fetches := client.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			die(e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			sum += uint64(r.Offset) + uint64(r.Timestamp.UnixMilli()) +
				uint64(len(r.Key)+len(r.Value)) + uint64(r.Value[0])
			seen++
		})
	}
	report(seen, from, read())
	fmt.Fprintf(os.Stderr, "checksum %x\n", sum)
}

func main() {
	flag.Parse()
	switch *do {
	case "produce":
		produce()
	case "consume":
		consume()
	default:
		die(fmt.Errorf("-do produce or consume"))
	}
}
