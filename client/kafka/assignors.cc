#include "client/kafka/assignors.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "client/kafka/assignor_input.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"

namespace tern::kafka {
namespace {

constexpr auto index = AssignorInput::index;

// Static members first, in the order of their instances, so that a restart moves nothing.
std::vector<int> instances_first(const AssignorInput& input, std::vector<int> members) {
  std::sort(members.begin(), members.end(), [&input](int a, int b) {
    const std::string& left = input.member(a).instance_id;
    const std::string& right = input.member(b).instance_id;
    if (left.empty() != right.empty()) return right.empty();
    return left != right ? left < right : a < b;
  });
  return members;
}

// One topic's division into ranges. Members are meant by their place in `members`.
class Ranges {
 public:
  Ranges(const AssignorInput& input, const AssignorInput::Topic& topic, std::vector<int>& owner)
      : input_(&input),
        topic_(&topic),
        owner_(&owner),
        members_(instances_first(input, topic.subscribers)),
        given_(members_.size()),
        each_(topic.count / static_cast<int>(members_.size())),
        extra_(topic.count % static_cast<int>(members_.size())),
        has_racks_(std::any_of(members_.begin(), members_.end(),
                               [&input](int m) { return input.rack_of(m) >= 0; })),
        racks_matter_(has_racks_ && input.racks_matter(members_, topic.first, topic.end())) {}

  const std::vector<int>& members() const { return members_; }
  int count() const { return topic_->count; }
  bool has_racks() const { return has_racks_; }
  bool racks_matter() const { return racks_matter_; }

  // How many more the member may have now.
  int room(std::size_t place) const {
    return std::max(0, each_ + (extra_ > 0 ? 1 : 0) - given_[place]);
  }
  bool near(std::size_t place, int partition) const {
    const int rack = input_->rack_of(members_[place]);
    return rack < 0 || input_->in_rack(topic_->first + partition, rack);
  }
  void give(std::size_t place, int partition) {
    (*owner_)[index(topic_->first + partition)] = members_[place];
    if (++given_[place] > each_) --extra_;
  }
  // To each member in turn what it has room for, the partitions nearby alone if so wished.
  void give_ranges(bool nearby) {
    int from = 0;  // nothing before it is free
    for (std::size_t place = 0; place < members_.size(); ++place) {
      int left = room(place);
      while (from < topic_->count && !free(from)) ++from;
      for (int p = from; p < topic_->count && left > 0; ++p) {
        if (!free(p) || (nearby && !near(place, p))) continue;
        give(place, p);
        --left;
      }
    }
  }

 private:
  bool free(int partition) const { return (*owner_)[index(topic_->first + partition)] < 0; }

  const AssignorInput* input_;
  const AssignorInput::Topic* topic_;
  std::vector<int>* owner_;
  std::vector<int> members_;
  std::vector<int> given_;
  int each_;
  int extra_;  // members that may have one more than `each_`
  bool has_racks_;
  bool racks_matter_;
};

// Topics with as many partitions and the same members keep together: partition n of all goes to one
// member, to one that is near to all of them if there is one.
void give_together(const std::vector<Ranges*>& topics) {
  const auto every = [&topics](auto test) {
    return std::all_of(topics.begin(), topics.end(), test);
  };
  std::vector<std::size_t> places(topics.front()->members().size());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  for (int p = 0; p < topics.front()->count(); ++p) {
    const auto found = std::find_if(places.begin(), places.end(), [&](std::size_t place) {
      return every([&](const Ranges* t) { return t->room(place) > 0 && t->near(place, p); });
    });
    if (found == places.end()) continue;
    for (Ranges* topic : topics) topic->give(*found, p);
    if (every([&](const Ranges* t) { return t->room(*found) == 0; })) places.erase(found);
  }
}

GroupAssignment assign_range(std::span<const GroupMember> members,
                             std::span<const GroupTopic> topics) {
  const AssignorInput input(members, topics);
  std::vector<int> owner(index(input.partitions()), -1);
  std::vector<Ranges> all;
  for (const AssignorInput::Topic& topic : input.topics()) all.emplace_back(input, topic, owner);
  if (std::any_of(all.begin(), all.end(), [](const Ranges& t) { return t.racks_matter(); })) {
    std::map<std::pair<std::vector<int>, int>, std::vector<Ranges*>> alike;
    for (Ranges& topic : all) {
      if (topic.has_racks()) alike[{topic.members(), topic.count()}].push_back(&topic);
    }
    for (const auto& entry : alike) {
      const std::vector<Ranges*>& group = entry.second;
      if (group.size() > 1) {
        give_together(group);
      } else if (group.front()->racks_matter()) {
        group.front()->give_ranges(true);
      }
    }
  }
  for (Ranges& topic : all) topic.give_ranges(false);
  return input.named(owner);
}

GroupAssignment assign_round_robin(std::span<const GroupMember> members,
                                   std::span<const GroupTopic> topics) {
  const AssignorInput input(members, topics);
  std::vector<int> circle(members.size());
  for (std::size_t m = 0; m < circle.size(); ++m) circle[m] = static_cast<int>(m);
  circle = instances_first(input, std::move(circle));
  std::vector<int> owner(index(input.partitions()));
  std::size_t next = 0;
  for (int p = 0; p < input.partitions(); ++p) {
    while (!input.subscribed(circle[next], input.topic_of(p))) next = (next + 1) % circle.size();
    owner[index(p)] = circle[next];
    next = (next + 1) % circle.size();
  }
  return input.named(owner);
}

using Assign = GroupAssignment (*)(std::span<const GroupMember>, std::span<const GroupTopic>);
using UserData = std::vector<std::byte> (*)(const HeldPartitions&);

std::vector<std::byte> no_user_data(const HeldPartitions&) { return {}; }

std::vector<std::byte> sticky_user_data(const HeldPartitions& held) {
  return held.generation < 0 ? std::vector<std::byte>() : encode_sticky_user_data(held);
}

// The generation alone: what is owned stands in the subscription.
std::vector<std::byte> cooperative_user_data(const HeldPartitions& held) {
  std::vector<std::byte> data(4);
  wire::Writer(data).i32(held.generation);
  return data;
}

class BuiltIn final : public Assignor {
 public:
  BuiltIn(std::string_view called, bool keeps, Assign how, UserData tells)
      : name_(called), cooperative_(keeps), assign_(how), user_data_(tells) {}

  std::string_view name() const override { return name_; }
  bool cooperative() const override { return cooperative_; }
  std::vector<std::byte> user_data(const HeldPartitions& held) const override {
    return user_data_(held);
  }
  GroupAssignment assign(std::span<const GroupMember> members,
                         std::span<const GroupTopic> topics) const override {
    return assign_(members, topics);
  }

 private:
  std::string_view name_;
  bool cooperative_;
  Assign assign_;
  UserData user_data_;
};

}  // namespace

std::shared_ptr<const Assignor> built_in_assignor(std::string_view name) {
  static const std::array<std::shared_ptr<const Assignor>, 4> all = {
      std::make_shared<BuiltIn>("range", false, assign_range, no_user_data),
      std::make_shared<BuiltIn>("roundrobin", false, assign_round_robin, no_user_data),
      std::make_shared<BuiltIn>("sticky", false, assign_sticky, sticky_user_data),
      std::make_shared<BuiltIn>("cooperative-sticky", true, assign_cooperative_sticky,
                                cooperative_user_data),
  };
  for (const auto& assignor : all) {
    if (assignor->name() == name) return assignor;
  }
  return nullptr;
}

void revoke_first(std::span<const GroupMember> members, GroupAssignment& assignment) {
  std::vector<std::set<TopicPartition>> owned;
  std::set<TopicPartition> given_up;
  for (std::size_t m = 0; m < members.size(); ++m) {
    owned.emplace_back(members[m].owned.begin(), members[m].owned.end());
    const std::set<TopicPartition> kept(assignment[m].begin(), assignment[m].end());
    for (const TopicPartition& partition : owned[m]) {
      if (!kept.contains(partition)) given_up.insert(partition);
    }
  }
  for (std::size_t m = 0; m < members.size(); ++m) {
    std::erase_if(assignment[m], [&](const TopicPartition& partition) {
      return given_up.contains(partition) && !owned[m].contains(partition);
    });
  }
}

std::string choose_protocol(std::span<const std::vector<std::string>> preferences) {
  std::map<std::string_view, std::size_t> bringers;
  for (const auto& list : preferences) {
    for (const std::string_view name : std::set<std::string_view>(list.begin(), list.end())) {
      ++bringers[name];
    }
  }
  std::map<std::string_view, std::size_t> votes;
  for (const auto& list : preferences) {
    const auto first = std::find_if(list.begin(), list.end(), [&](const std::string& name) {
      return bringers.at(name) == preferences.size();
    });
    if (first != list.end()) ++votes[*first];
  }
  // Of two with as many votes, a coordinator takes the one that its hash map has first.
  using Rank = std::tuple<std::size_t, std::uint32_t>;
  const auto rank = [table = java_table(votes.size())](std::string_view name, std::size_t count) {
    return Rank(count, table - java_bucket(java_hash(name), table));
  };
  std::string chosen;
  Rank best{};
  for (const auto& [name, count] : votes) {
    if (rank(name, count) <= best) continue;
    best = rank(name, count);
    chosen = name;
  }
  return chosen;
}

std::vector<std::byte> encode_sticky_user_data(const HeldPartitions& held) {
  std::map<std::string_view, std::vector<std::int32_t>> topics;
  for (const TopicPartition& p : held.partitions) topics[p.topic].push_back(p.partition);
  std::size_t size = 8;
  for (const auto& [name, partitions] : topics) size += 6 + name.size() + 4 * partitions.size();
  std::vector<std::byte> data(size);
  wire::Writer writer(data);
  writer.i32(static_cast<std::int32_t>(topics.size()));
  for (const auto& [name, partitions] : topics) {
    writer.i16(static_cast<std::int16_t>(name.size()));
    writer.bytes(name);
    writer.i32(static_cast<std::int32_t>(partitions.size()));
    for (const std::int32_t partition : partitions) writer.i32(partition);
  }
  writer.i32(held.generation);
  return data;
}

std::optional<HeldPartitions> decode_sticky_user_data(std::span<const std::byte> data) {
  wire::Reader reader(data);
  HeldPartitions held;
  std::int32_t topics = reader.i32();
  if (topics < 0) return std::nullopt;
  for (; topics > 0 && reader.ok(); --topics) {
    const std::int16_t length = reader.i16();
    if (length < 0) return std::nullopt;
    const std::span<const std::byte> bytes = reader.bytes(index(length));
    const std::string name(wire::Bytes(bytes).view());
    std::int32_t partitions = reader.i32();
    if (partitions < 0) return std::nullopt;
    for (; partitions > 0 && reader.ok(); --partitions) {
      held.partitions.push_back({name, reader.i32()});
    }
  }
  if (!reader.ok()) return std::nullopt;
  held.generation = reader.i32();  // as Java does, which reads version 0 where this is cut off
  if (!reader.ok()) held.generation = -1;
  return held;
}

}  // namespace tern::kafka
