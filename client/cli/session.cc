#include "client/cli/session.h"

#include <memory>
#include <utility>
#include <vector>

namespace tern::cli {
namespace {

// Tells of brokers that cannot be reached while the client tries on. Each sentence once in a row.
class Troubles final : public kafka::Observer {
 public:
  void on_disconnected(const Connection&, Stage, const Failure& failure) override {
    if (!failure || failure.code == Condition::closed) return;
    std::string text = failure.message();
    if (text == last_) return;
    note(text + " (trying again)");
    last_ = std::move(text);
  }

 private:
  std::string last_;
};

kafka::Configs with_troubles(kafka::Configs configs, bool quiet) {
  if (!quiet) configs.client.observer = std::make_shared<Troubles>();
  return configs;
}

}  // namespace

Session::Session(const CommonOptions& options)
    : configs_(with_troubles(options.configs(), options.quiet)),
      interrupt_(runtime_.executor()),
      client_(runtime_.executor(), configs_.client) {}

const char* Session::next_step(const std::error_code& error) {
  if (error == Condition::timed_out || error == ClientErrc::no_broker) {
    return "; -b says where the cluster is, -m SECONDS how long to wait for it";
  }
  if (error == ClientErrc::not_the_protocol) {
    return "; is this the port of a PLAINTEXT listener? TLS and SASL are not supported yet";
  }
  return "";
}

kafka::TopicDescription Session::describe(const std::string& topic) {
  kafka::Admin admin(client_);
  kafka::ClusterDescription cluster =
      call("cannot ask for topic " + topic, [&](Diagnostics* diagnostics) {
        std::vector<std::string> topics;
        topics.push_back(topic);
        return admin.async_describe_topics(topics, asio::use_future, diagnostics);
      });
  if (cluster.topics.empty()) throw std::runtime_error("the broker says nothing about " + topic);
  return std::move(cluster.topics.front());
}

}  // namespace tern::cli
