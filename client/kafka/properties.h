// Kafka's own names for settings ("bootstrap.servers", "linger.ms", ...), from a .properties file
// or as name and value, made into the configs of this client. Names of the Java client and of
// librdkafka are both taken where they differ ("acks" and "request.required.acks").
//
//   kafka::Configs configs;
//   if (Failure failure = kafka::parse_properties(text_of_the_file, configs)) complain(failure);
//   kafka::Client client(context, configs.client);
//   kafka::Producer producer(client, configs.producer);
//
// TLS, and codecs beside gzip, need a line each, before, as nothing here links a library for them:
//
//   configs.make_tls = tls::openssl;                  // "client/tls/openssl.h"
//   configs.client.codecs.push_back(kafka::zstd());   // "client/codecs/zstd.h"
//
// One set of settings serves producers, consumers and admin calls; what one of them does not use
// does no harm. Of a setting that is given twice the last one counts, under whichever of its names.
//
// Where the Java client lets one setting follow another, so does this:
// - acks other than "all", or max.in.flight above 5, turn idempotence off unless it was asked for;
// - a buffer.memory or max.request.size too small for the usual batch makes the batch smaller,
//   unless batch.size was given;
// - reconnect.backoff.ms and retry.backoff.ms raise their maximum unless that was given.
//
// Errors are ClientErrc::invalid_config (codec_missing for a codec that is not among
// ClientConfig::codecs). The text names the line where there is one, the setting, and what it may
// be; for a name that does not exist, the nearest one that does; for one that Kafka knows and tern
// cannot do, that and what to do instead. Values of password-like settings are never repeated.
//
// For any input whatever, hostile ones included: no crash, no exception but bad_alloc, no I/O; time
// and memory linear in the input; the same result each time. After a failure the configs are as
// they were. After success every value is within what check(config) wants of it alone; servers may
// still be missing and values may not fit each other (a request smaller than batch.size), which
// check() tells. Text that read_properties() accepts gives names and values that are UTF-8 wherever
// the text is, and writing each as `escaped name = escaped value` and reading it again gives the
// same.
#ifndef TERN_CLIENT_KAFKA_PROPERTIES_H_
#define TERN_CLIENT_KAFKA_PROPERTIES_H_

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/error.h"
#include "client/core/stream.h"
#include "client/kafka/config.h"

namespace tern::kafka {

struct Configs {
  ClientConfig client = {};
  ProducerConfig producer = {};
  ConsumerConfig consumer = {};

  // What "security.protocol" and the settings of "ssl." say. With "ssl" they are made into
  // ClientConfig::stream by `make_tls`; without that "ssl" is refused, so that nobody who asks for
  // TLS goes without. Files are read by check(config.client), which names them by TlsOptions.
  bool tls = false;
  TlsOptions tls_options = {};
  std::shared_ptr<const StreamFactory> (*make_tls)(TlsOptions) = nullptr;
};

struct Property {
  std::string name;
  std::string value;
  int line = 0;  // where it begins in its file, from 1; 0: not from a file
};

// The syntax of .properties files as java.util.Properties reads it: comments (# and !), separators
// (=, : and blanks), continued lines, escapes (\t, \n, \uXXXX, ...). Bytes that are not ASCII are
// kept as they are: the file is taken for UTF-8. Adds to `out`, nothing after a failure.
Failure read_properties(std::string_view text, std::vector<Property>& out);

// Applies settings to `out`, in order; what they do not name keeps its value.
Failure apply_properties(std::span<const Property> properties, Configs& out);

// Both.
Failure parse_properties(std::string_view text, Configs& out);

// All names that can be set. The text lives for ever.
std::vector<std::string_view> property_names();

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_PROPERTIES_H_
