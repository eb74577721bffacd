#include "client/cli/session.h"

#include <memory>
#include <utility>
#include <vector>

namespace tern::cli {

// Tells of brokers that cannot be reached while the client tries on, each sentence once in a row,
// and keeps what the member of a group is called.
class Session::Watcher final : public kafka::Observer {
 public:
  void on_disconnected(const Connection&, Stage, const Failure& failure) override {
    if (!failure || failure.code == Condition::closed) return;
    std::string text = failure.message();
    if (text == last_) return;
    note(text + " (trying again)");
    last_ = std::move(text);
  }
  void on_rebalance(const Rebalance& rebalance) override { member_id_ = rebalance.member_id; }

  const std::string& member_id() const { return member_id_; }

 private:
  std::string last_;
  std::string member_id_;
};

namespace {

kafka::Configs with_observer(kafka::Configs configs, std::shared_ptr<kafka::Observer> observer,
                             bool quiet) {
  if (!quiet) configs.client.observer = std::move(observer);
  return configs;
}

}  // namespace

Session::Session(const CommonOptions& options) : Session(options, std::make_shared<Watcher>()) {}

Session::Session(const CommonOptions& options, std::shared_ptr<Watcher> watcher)
    : watcher_(std::move(watcher)),
      configs_(with_observer(options.configs(), watcher_, options.quiet)),
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
  std::vector<kafka::TopicDescription> found = describe(std::vector<std::string>(1, topic));
  if (found.empty()) throw std::runtime_error("the broker says nothing about " + topic);
  return std::move(found.front());
}

std::vector<kafka::TopicDescription> Session::describe(const std::vector<std::string>& topics) {
  kafka::Admin admin(client_);
  const std::string what =
      topics.size() == 1 ? "cannot ask for topic " + topics[0] : "cannot ask for the topics";
  return call(what,
              [&](Diagnostics* diagnostics) {
                return admin.async_describe_topics(topics, asio::use_future, diagnostics);
              })
      .topics;
}

const std::string& Session::member_id() const { return watcher_->member_id(); }

}  // namespace tern::cli
