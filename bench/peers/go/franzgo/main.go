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
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tern/bench/peers/measure"
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
		measure.Die(err)
	}
	ctx := context.Background()
	if err := client.Ping(ctx); err != nil {
		measure.Die(err)
	}
	payloads := measure.Payloads(*size)
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
	from := measure.Read()
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
		measure.Die(err)
	}
	to := measure.Read()
	if failed.Load() > 0 || delivered.Load() != *records {
		measure.Die(fmt.Errorf("%d delivered, %d failed", delivered.Load(), failed.Load()))
	}
	measure.Report("franz-go", "github.com/twmb/franz-go", *records, from, to)
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
		measure.Die(err)
	}
	ctx := context.Background()
	var seen int64
	var sum uint64
	from := measure.Read()
	for seen < *records {
		fetches := client.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			measure.Die(e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			sum += uint64(r.Offset) + uint64(r.Timestamp.UnixMilli()) +
				uint64(len(r.Key)+len(r.Value)) + uint64(r.Value[0])
			seen++
		})
	}
	measure.Report("franz-go", "github.com/twmb/franz-go", seen, from, measure.Read())
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
		measure.Die(fmt.Errorf("-do produce or consume"))
	}
}
