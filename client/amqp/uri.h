// AMQP URIs, as RabbitMQ describes them, with more than one host:
//
//   amqp://user:password@host:port,host2:port2/vhost?heartbeat=10&connection_timeout=5000
//
// What is missing keeps the value it has in the config. User, password, hosts and the virtual host
// are percent-decoded ("%2F" is the virtual host "/", "%40" an @ in a password); an IPv6 address
// stands in brackets. No virtual host, and an empty one, mean "/". A password with a raw @ in it is
// understood, one with / ? # or % has to be escaped, and so has an @ anywhere else.
//
// Parameters: heartbeat (seconds), connection_timeout (milliseconds), channel_max, frame_max,
// auth_mechanism (plain, amqplain or external, in any case), connection_name. Others are refused,
// by name.
//
// amqps:// sets `tls`, and may have RabbitMQ's parameters for it, which go to `tls_options`:
//  - cacertfile, certfile, keyfile, password: PEM files, and the password of the key
//  - verify: verify_peer (the default here) or verify_none
//  - server_name_indication: the name that is asked for and has to be in the certificate, or
//    "disable": no name is asked for, and any will do
//  - fail_if_no_peer_cert: only "true", for it is always so
//
// Pure function; any thread.
#ifndef TERN_CLIENT_AMQP_URI_H_
#define TERN_CLIENT_AMQP_URI_H_

#include <string_view>

#include "client/amqp/config.h"

namespace tern::amqp {

// Error: invalid_config, with the part that is wrong; nothing of the URI that may be secret is
// repeated, and `config` is as it was.
Failure parse_uri(std::string_view uri, ConnectionConfig& config);

}  // namespace tern::amqp

#endif  // TERN_CLIENT_AMQP_URI_H_
