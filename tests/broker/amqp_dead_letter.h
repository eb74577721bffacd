// What becomes of a message that a queue gives up: the header that tells of it, as RabbitMQ writes
// it. Pure functions; any thread.
#ifndef TERN_TESTS_BROKER_AMQP_DEAD_LETTER_H_
#define TERN_TESTS_BROKER_AMQP_DEAD_LETTER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/broker/amqp_queue.h"

namespace tern::broker {

enum class AmqpDeath : std::uint8_t { rejected, expired, maxlen };

// The message for the dead letter exchange: with one more entry in x-death, or one counted up, and
// without its expiration.
AmqpMessage dead_letter(const AmqpMessage& message, const AmqpQueue& queue, AmqpDeath reason,
                        std::int64_t wall_ms);

// It has died in this queue before, and nobody rejected it meanwhile: once more, and it would go
// round for ever.
bool goes_in_circles(const AmqpMessage& message, std::string_view queue);

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_AMQP_DEAD_LETTER_H_
