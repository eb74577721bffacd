// The smallest program that has a Kafka client in it.

#include <cstdio>

#include "client/kafka/config.h"
#include "client/net/runtime.h"

int main() {
  tern::kafka::ClientConfig config;
  config.bootstrap = {"127.0.0.1:9092"};
  tern::net::Runtime runtime;
  std::printf("tern is embedded, with %zu codec\n", config.codecs.size());
  return 0;
}
