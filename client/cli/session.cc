#include "client/cli/session.h"

#include <utility>

namespace tern::cli {

namespace {

kafka::Configs with_observer(kafka::Configs configs, std::shared_ptr<kafka::Observer> observer) {
  configs.client.observer = std::move(observer);
  return configs;
}

}  // namespace

Session::Session(const CommonOptions& options)
    : watcher_(std::make_shared<Watcher>(options.subjects | subjects_of(options.verbosity))),
      configs_(with_observer(options.configs(), watcher_)),
      interrupt_(runtime_.executor()),
      client_(runtime_.executor(), configs_.client) {
  if (!options.unknown.empty() && !options.quiet()) {
    note("-d " + options.unknown + ": nothing of that can be shown here");
  }
}

const char* Session::next_step(const std::error_code& error) const {
  if (error != Condition::timed_out && error != ClientErrc::no_broker) return "";
  const char* const advice = watcher_->advice();
  return advice ? advice : "; -b says where the cluster is, -m SECONDS how long to wait for it";
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

}  // namespace tern::cli
