// amqp091-go doing the rows of bench/compare amqp, set as equal to the others as it can be (see
// bench/README.md). Prints the same JSON line as the C++ programs.
//
//	amqp091go --do publish|coroutines|consume --broker HOST:PORT --records N --size BYTES
//	          [--window MESSAGES] [--prefetch MESSAGES]
//
// publish: one goroutine, which waits for the oldest confirm when a window is full. coroutines: as
// many goroutines as --window says, each waiting for its confirm in a loop. consume: one multiple ack
// for half a prefetch.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"tern/bench/peers/measure"
)

var (
	do       = flag.String("do", "publish", "publish, coroutines or consume")
	broker   = flag.String("broker", "127.0.0.1:5672", "host:port")
	records  = flag.Int64("records", 100_000, "messages")
	size     = flag.Int("size", 100, "bytes of a body")
	window   = flag.Int("window", 1000, "messages without a confirm, at most")
	prefetch = flag.Int("prefetch", 1000, "messages without an ack, at most")
)

func report(from measure.Clock) {
	measure.Report("amqp091-go", "github.com/rabbitmq/amqp091-go", *records, from, measure.Read())
}

func check(err error) {
	if err != nil {
		measure.Die(err)
	}
}

func publishOne(channel *amqp.Channel, body []byte) *amqp.DeferredConfirmation {
	confirm, err := channel.PublishWithDeferredConfirmWithContext(context.Background(), "", "bench",
		false, false, amqp.Publishing{Body: body})
	check(err)
	return confirm
}

func await(confirm *amqp.DeferredConfirmation) {
	if !confirm.Wait() {
		measure.Die(fmt.Errorf("not confirmed"))
	}
}

func publish(channel *amqp.Channel, payloads [][]byte) {
	waiting := make([]*amqp.DeferredConfirmation, *window)
	for i := int64(0); i < *records; i++ {
		slot := &waiting[i%int64(*window)]
		if *slot != nil {
			await(*slot)
		}
		*slot = publishOne(channel, payloads[i%int64(len(payloads))])
	}
	for _, confirm := range waiting {
		if confirm != nil {
			await(confirm)
		}
	}
}

func publishInLoops(channel *amqp.Channel, payloads [][]byte) {
	var all sync.WaitGroup
	for w := int64(0); w < int64(*window); w++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := w; i < *records; i += int64(*window) {
				await(publishOne(channel, payloads[i%int64(len(payloads))]))
			}
		}()
	}
	all.Wait()
}

func consume(deliveries <-chan amqp.Delivery) {
	var sum uint64
	var acked uint64
	for i := int64(1); i <= *records; i++ {
		delivery := <-deliveries
		sum += uint64(delivery.Body[len(delivery.Body)-1]) + uint64(len(delivery.RoutingKey))
		if i == *records || delivery.DeliveryTag-acked == uint64(max(1, *prefetch/2)) {
			check(delivery.Ack(true))
			acked = delivery.DeliveryTag
		}
	}
	fmt.Fprintf(os.Stderr, "checksum %x\n", sum)
}

func main() {
	flag.Parse()
	connection, err := amqp.Dial("amqp://guest:guest@" + *broker + "/")
	check(err)
	channel, err := connection.Channel()
	check(err)
	payloads := measure.Payloads(*size)
	if *do == "consume" {
		check(channel.Qos(*prefetch, 0, false))
		deliveries, err := channel.Consume("bench", "", false, false, false, false, nil)
		check(err)
		from := measure.Read()
		consume(deliveries)
		report(from)
		return
	}
	check(channel.Confirm(false))
	from := measure.Read()
	switch *do {
	case "publish":
		publish(channel, payloads)
	case "coroutines":
		publishInLoops(channel, payloads)
	default:
		measure.Die(fmt.Errorf("-do publish, coroutines or consume"))
	}
	report(from)
}
