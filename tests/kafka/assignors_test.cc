// Assignors: what the Java client's give for the same groups (tests/golden/assignors), and what has
// to hold for any group.
#include "client/kafka/assignors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace tern::kafka {
namespace {

using Members = std::vector<GroupMember>;
using Topics = std::vector<GroupTopic>;
using Partitions = std::vector<TopicPartition>;
using Bytes = std::vector<std::byte>;

const std::array<std::string, 4> kNames = {"range", "roundrobin", "sticky", "cooperative-sticky"};

GroupMember member(std::string id, std::vector<std::string> topics, Partitions owned = {},
                   std::string rack = "") {
  GroupMember made;
  made.id = std::move(id);
  made.rack = std::move(rack);
  made.topics = std::move(topics);
  made.owned = std::move(owned);
  return made;
}

GroupAssignment assign(const std::string& name, const Members& members, const Topics& topics) {
  return built_in_assignor(name)->assign(members, topics);
}

// What is wrong with an assignment; nothing if every partition that somebody has asked for is with
// one such member. `may_hold`: or with nobody for now.
std::string wrong_with(const GroupAssignment& assignment, const Members& members,
                       const Topics& topics, bool may_hold) {
  if (assignment.size() != members.size()) return "not one list per member";
  std::set<TopicPartition> given;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const std::set<std::string> wanted(members[m].topics.begin(), members[m].topics.end());
    if (!std::is_sorted(assignment[m].begin(), assignment[m].end())) return "not sorted";
    for (const TopicPartition& p : assignment[m]) {
      const std::string name = p.topic + "/" + std::to_string(p.partition);
      if (!given.insert(p).second) return name + " is given twice";
      if (!wanted.contains(p.topic)) return name + " goes to one that has not asked for it";
    }
  }
  for (const GroupTopic& topic : topics) {
    const bool wanted = std::any_of(members.begin(), members.end(), [&](const GroupMember& m) {
      return std::find(m.topics.begin(), m.topics.end(), topic.name) != m.topics.end();
    });
    for (std::int32_t p = 0; wanted && p < topic.partitions; ++p) {
      const bool found = given.erase({topic.name, p}) == 1;
      if (!found && !may_hold) return topic.name + "/" + std::to_string(p) + " is with nobody";
    }
  }
  return given.empty() ? "" : given.begin()->topic + " has no such partition";
}

// --- What the Java client gives ---------------------------------------------------------------

constexpr std::string_view kDigits =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

struct Case {
  std::string name;
  Topics topics;
  Members members;
  std::vector<char> forms;
  std::map<std::string, std::string> results;
  struct UserData {
    std::string assignor, hex;
    HeldPartitions held;
  };
  std::vector<UserData> user_data;
};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

// "0:1-3,5;2:0"
Partitions read_places(const std::string& text, const Topics& topics) {
  Partitions partitions;
  if (text == "-") return partitions;
  for (const std::string& part : split(text, ';')) {
    const std::string& topic = topics.at(kDigits.find(part.at(0))).name;
    for (const std::string& range : split(part.substr(2), ',')) {
      const int last = std::stoi(range.substr(range.find('-') + 1));  // npos + 1 == 0
      for (int p = std::stoi(range); p <= last; ++p) partitions.push_back({topic, p});
    }
  }
  return partitions;
}

GroupTopic read_topic(std::istream& words) {
  GroupTopic topic;
  std::string racks;
  words >> topic.name >> topic.partitions >> racks;
  if (racks == "-") return topic;
  for (const std::string& letters : split(racks, ',')) {
    topic.racks.emplace_back();
    for (const char rack : letters) {
      if (rack != '-') topic.racks.back().emplace_back(1, rack);
    }
  }
  return topic;
}

void read_member(std::istream& words, Case& to) {
  GroupMember member;
  std::string topics, owned;
  char form = 0;
  words >> member.id >> member.instance_id >> member.rack >> member.generation >> form >> topics >>
      owned;
  if (member.instance_id == "-") member.instance_id.clear();
  if (member.rack == "-") member.rack.clear();
  for (const char topic : topics) {
    if (topic != '-') member.topics.push_back(to.topics.at(kDigits.find(topic)).name);
  }
  member.owned = read_places(owned, to.topics);
  to.members.push_back(std::move(member));
  to.forms.push_back(form);
}

const std::vector<Case>& golden() {
  static const std::vector<Case> all = [] {
    std::vector<Case> cases;
    std::ifstream file("tests/golden/assignors/assignors.txt");
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      std::string word;
      words >> word;
      if (word == "#") continue;
      if (word == "case") {
        cases.emplace_back().name = line;
      } else if (word == "topic") {
        cases.back().topics.push_back(read_topic(words));
      } else if (word == "member") {
        read_member(words, cases.back());
      } else if (word == "user") {
        Case::UserData data;
        std::string places;
        words >> data.assignor >> data.held.generation >> places >> data.hex;
        data.held.partitions = read_places(places, cases.back().topics);
        cases.back().user_data.push_back(data);
      } else {
        words >> cases.back().results[word == "cooperative" ? "cooperative-sticky" : word];
      }
    }
    return cases;
  }();
  return all;
}

// As the Java members of that form send it.
Members joined(const Case& of, const std::string& assignor) {
  Members members = of.members;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const char form = of.forms[m];
    const HeldPartitions held{members[m].owned, members[m].generation};
    if (form != 'f' && form != 'g') members[m].generation = -1;
    if (form == 'g') members[m].user_data = {std::byte{0}, std::byte{0}, std::byte{1}};
    if (form == 'n' || form == 'g') continue;
    if (assignor == "sticky") {
      members[m].user_data = encode_sticky_user_data(held);
      if (form == 'o') members[m].user_data.resize(members[m].user_data.size() - 4);
    } else if (form != 'o') {
      members[m].user_data = built_in_assignor(assignor)->user_data(held);
    }
  }
  return members;
}

std::string show(const GroupAssignment& assignment, const Topics& topics) {
  std::map<TopicPartition, char> owner;
  for (std::size_t m = 0; m < assignment.size(); ++m) {
    for (const TopicPartition& p : assignment[m]) owner[p] = kDigits[m];
  }
  std::string text;
  for (std::size_t t = 0; t < topics.size(); ++t) {
    if (t > 0) text += '/';
    for (std::int32_t p = 0; p < topics[t].partitions; ++p) {
      const auto found = owner.find({topics[t].name, p});
      text += found == owner.end() ? '.' : found->second;
    }
  }
  return text;
}

class JavaGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(JavaGolden, GivesTheSame) {
  int same = 0;
  for (const Case& one : golden()) {
    const Members members = joined(one, GetParam());
    const GroupAssignment got = assign(GetParam(), members, one.topics);
    EXPECT_EQ(wrong_with(got, members, one.topics, GetParam() == "cooperative-sticky"), "")
        << one.name;
    const std::string& wanted = one.results.at(GetParam());
    if (wanted == "!") continue;
    EXPECT_EQ(show(got, one.topics), wanted) << one.name;
    ++same;
  }
  EXPECT_GT(same, 350);
}

INSTANTIATE_TEST_SUITE_P(All, JavaGolden, ::testing::ValuesIn(kNames), [](const auto& name) {
  return name.param.substr(0, name.param.find('-'));
});

std::string hex_of(const Bytes& bytes) {
  std::string hex;
  for (const std::byte byte : bytes) {
    hex += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
    hex += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15];
  }
  return hex;
}

Bytes bytes_of(const std::string& hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

TEST(JavaGoldenUserData, IsReadAndWritten) {
  int read = 0, written = 0;
  for (const Case& one : golden()) {
    for (const Case::UserData& data : one.user_data) {
      if (data.assignor == "cooperative") {
        EXPECT_EQ(hex_of(built_in_assignor("cooperative-sticky")->user_data(data.held)), data.hex);
        continue;
      }
      auto held = decode_sticky_user_data(bytes_of(data.hex));
      ASSERT_TRUE(held) << data.hex;
      std::sort(held->partitions.begin(), held->partitions.end());
      Partitions wanted = data.held.partitions;
      std::sort(wanted.begin(), wanted.end());
      EXPECT_EQ(held->partitions, wanted);
      EXPECT_EQ(held->generation, data.held.generation);
      ++read;
      // Java writes several topics in the order of a hash map; that one means nothing.
      if (wanted.empty() || wanted.front().topic != wanted.back().topic) continue;
      EXPECT_EQ(hex_of(built_in_assignor("sticky")->user_data(data.held)), data.hex);
      ++written;
    }
  }
  EXPECT_GT(read, 10);
  EXPECT_GT(written, 3);
}

// --- What holds for any group -----------------------------------------------------------------

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

  Topics topics(int count, int partitions, bool racks) {
    Topics all;
    for (int t = 0; t < count; ++t) {
      GroupTopic topic{"topic" + std::to_string(t), below(partitions + 1), {}};
      for (int p = 0; racks && p < topic.partitions; ++p) {
        topic.racks.push_back({rack(p), rack(p + below(3))});
      }
      all.push_back(std::move(topic));
    }
    return all;
  }
  Members members(int count, const Topics& topics, bool all_of_them, bool racks) {
    Members all;
    for (int m = 0; m < count; ++m) {
      GroupMember member;
      member.id = "m" + std::to_string(random_());
      if (below(5) == 0) member.instance_id = "i" + member.id;
      if (racks && below(8) > 0) member.rack = rack(below(3));
      for (const GroupTopic& topic : topics) {
        if (all_of_them || below(2) == 0) member.topics.push_back(topic.name);
      }
      all.push_back(std::move(member));
    }
    return all;
  }
  template <class T>
  std::vector<T> shuffled(std::vector<T> values) {
    std::shuffle(values.begin(), values.end(), random_);
    return values;
  }

 private:
  static std::string rack(int n) { return std::string(1, static_cast<char>('x' + n % 3)); }

  std::mt19937 random_;
};

// Every member holds what it was given, and tells so.
void hold(Members& members, const GroupAssignment& assignment, std::int32_t generation,
          const std::string& assignor) {
  for (std::size_t m = 0; m < members.size(); ++m) {
    const HeldPartitions held{assignment[m], generation};
    members[m].owned = held.partitions;
    members[m].generation = generation;
    members[m].user_data = built_in_assignor(assignor)->user_data(held);
  }
}

std::map<std::string, Partitions> by_id(const Members& members, const GroupAssignment& of) {
  std::map<std::string, Partitions> all;
  for (std::size_t m = 0; m < members.size(); ++m) all[members[m].id] = of[m];
  return all;
}

std::size_t spread(const GroupAssignment& assignment) {
  std::size_t least = assignment.front().size(), most = least;
  for (const Partitions& partitions : assignment) {
    least = std::min(least, partitions.size());
    most = std::max(most, partitions.size());
  }
  return most - least;
}

class AnyGroup : public ::testing::TestWithParam<std::string> {};

TEST_P(AnyGroup, GetsEveryPartitionOnceWhateverTheOrder) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Generator make(seed);
    const bool racks = make.below(2) == 0;
    const Topics topics = make.topics(1 + make.below(6), 15, racks);
    Members members = make.members(1 + make.below(12), topics, make.below(2) == 0, racks);
    const bool may_hold = GetParam() == "cooperative-sticky";
    for (int round = 0; round < 4; ++round) {
      const GroupAssignment given = assign(GetParam(), members, topics);
      ASSERT_EQ(wrong_with(given, members, topics, may_hold), "") << seed;
      const Members others = make.shuffled(members);
      const GroupAssignment again = assign(GetParam(), others, make.shuffled(topics));
      ASSERT_EQ(by_id(members, given), by_id(others, again)) << seed;
      hold(members, given, round, GetParam());
      members.push_back(make.members(1, topics, false, racks).front());
      members[0] = members.back();  // leaves; two that are new
      members[0].id += "again";
      members[0].instance_id.clear();
    }
  }
}

TEST_P(AnyGroup, WithoutMembersOrTopicsGetsNothing) {
  EXPECT_TRUE(assign(GetParam(), {}, {{"topic", 3, {}}}).empty());
  const Members nothing_there = {member("a", {"gone"}, {{"gone", 1}}), member("b", {}, {}, "x")};
  for (const Partitions& given :
       assign(GetParam(), nothing_there, {{"topic", 3, {}}, {"gone", 0, {}}})) {
    EXPECT_TRUE(given.empty());
  }
}

// Where Java counts the member among those that have asked for the same as the others.
TEST_P(AnyGroup, MemberThatAsksForNothingGetsNothing) {
  for (int n = 0; n < 20; ++n) {
    const Members members = {member("a" + std::to_string(n), {}), member("b", {"topic"}),
                             member("c", {"topic"})};
    const GroupAssignment given = assign(GetParam(), members, {{"topic", 4, {}}});
    EXPECT_EQ(given[0].size(), 0U);
    EXPECT_EQ(given[1].size(), 2U);
    EXPECT_EQ(given[2].size(), 2U);
  }
}

INSTANTIATE_TEST_SUITE_P(All, AnyGroup, ::testing::ValuesIn(kNames), [](const auto& name) {
  return name.param.substr(0, name.param.find('-'));
});

TEST(Range, DividesEachTopicEvenlyWithRacksToo) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Generator make(seed);
    const Topics topics = make.topics(4, 20, make.below(2) == 0);
    const Members members = make.members(1 + make.below(9), topics, true, true);
    const GroupAssignment given = assign("range", members, topics);
    for (const GroupTopic& topic : topics) {
      GroupAssignment of_topic = given;
      for (Partitions& partitions : of_topic) {
        std::erase_if(partitions, [&](const TopicPartition& p) { return p.topic != topic.name; });
      }
      EXPECT_LE(spread(of_topic), 1U) << seed;
    }
  }
}

TEST(Range, PutsPartitionsIntoTheRacksOfTheirReplicas) {
  const std::vector<std::vector<std::string>> racks = {{"x"}, {"y"}, {"z"}, {"z"}, {"y"}, {"x"}};
  const Members members = {member("a", {"t", "u"}, {}, "z"), member("b", {"t", "u"}, {}, "x"),
                           member("c", {"t", "u"}, {}, "y")};
  const GroupAssignment given = assign("range", members, {{"t", 6, racks}, {"u", 6, racks}});
  EXPECT_EQ(given[0], (Partitions{{"t", 2}, {"t", 3}, {"u", 2}, {"u", 3}}));
  EXPECT_EQ(given[1], (Partitions{{"t", 0}, {"t", 5}, {"u", 0}, {"u", 5}}));
  EXPECT_EQ(given[2], (Partitions{{"t", 1}, {"t", 4}, {"u", 1}, {"u", 4}}));
}

TEST(RoundRobin, IsEvenIfAllAskForTheSame) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    Generator make(seed);
    const Topics topics = make.topics(5, 9, false);
    const Members members = make.members(1 + make.below(9), topics, true, false);
    EXPECT_LE(spread(assign("roundrobin", members, topics)), 1U) << seed;
  }
}

class Sticky : public ::testing::TestWithParam<std::string> {};

// No partition is with a member that has two more than another one which has asked for it.
std::string uneven(const GroupAssignment& given, const Members& members) {
  for (std::size_t rich = 0; rich < members.size(); ++rich) {
    for (std::size_t poor = 0; poor < members.size(); ++poor) {
      if (given[rich].size() <= given[poor].size() + 1) continue;
      for (const TopicPartition& p : given[rich]) {
        const auto& wanted = members[poor].topics;
        if (std::find(wanted.begin(), wanted.end(), p.topic) != wanted.end()) {
          return members[poor].id + " should have " + p.topic;
        }
      }
    }
  }
  return "";
}

// What the group has when it has come to rest, from nothing or from what it held.
GroupAssignment settle(const std::string& assignor, Members& members, const Topics& topics,
                       std::int32_t& generation, std::size_t rounds) {
  GroupAssignment given;
  for (std::size_t round = 0; round < rounds; ++round) {
    given = assign(assignor, members, topics);
    hold(members, given, ++generation, assignor);
  }
  return given;
}

TEST_P(Sticky, IsEvenAndMovesNothingWithoutNeed) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Generator make(seed);
    const bool same = make.below(2) == 0;
    const Topics topics = make.topics(1 + make.below(6), 15, false);
    Members members = make.members(2 + make.below(12), topics, same, false);
    std::int32_t generation = 0;
    const GroupAssignment given = settle(GetParam(), members, topics, generation, 1);
    EXPECT_EQ(uneven(given, members), "") << seed;
    ASSERT_EQ(settle(GetParam(), members, topics, generation, 1), given) << seed;

    // One leaves: the others keep what they have.
    Members fewer(members.begin() + 1, members.end());
    const GroupAssignment left = settle(GetParam(), fewer, topics, generation, 2);
    EXPECT_EQ(wrong_with(left, fewer, topics, false), "") << seed;
    EXPECT_EQ(uneven(left, fewer), "") << seed;
    for (std::size_t m = 0; same && m < fewer.size(); ++m) {
      EXPECT_TRUE(
          std::includes(left[m].begin(), left[m].end(), given[m + 1].begin(), given[m + 1].end()))
          << seed;
    }

    // One comes: the others get nothing.
    Members more = members;
    more.push_back(make.members(1, topics, same, false).front());
    const GroupAssignment joined = settle(GetParam(), more, topics, generation, 2);
    EXPECT_EQ(wrong_with(joined, more, topics, false), "") << seed;
    EXPECT_EQ(uneven(joined, more), "") << seed;
    for (std::size_t m = 0; same && m < members.size(); ++m) {
      EXPECT_TRUE(
          std::includes(given[m].begin(), given[m].end(), joined[m].begin(), joined[m].end()))
          << seed;
    }
  }
}

TEST_P(Sticky, NewerClaimCountsAndOfTwoEqualOnesNeither) {
  const Topics topics = {{"t", 4, {}}};
  Members members = {member("a", {"t"}), member("b", {"t"})};
  hold(members, {{{"t", 0}, {"t", 1}}, {{"t", 0}, {"t", 1}}}, 7, GetParam());
  members[1].generation = 8;
  members[1].user_data = built_in_assignor(GetParam())->user_data({members[1].owned, 8});
  EXPECT_EQ(assign(GetParam(), members, topics),
            (GroupAssignment{{{"t", 2}, {"t", 3}}, {{"t", 0}, {"t", 1}}}));
  hold(members, {{{"t", 0}, {"t", 3}}, {{"t", 0}, {"t", 1}}}, 9, GetParam());
  const GroupAssignment given = assign(GetParam(), members, topics);
  const bool cooperative = GetParam() == "cooperative-sticky";
  // Partition 0 is with the one that has room first; held back until both have given it up.
  EXPECT_EQ(given[0], cooperative ? Partitions({{"t", 3}}) : Partitions({{"t", 0}, {"t", 3}}));
  EXPECT_EQ(given[1], (Partitions{{"t", 1}, {"t", 2}}));
}

TEST_P(Sticky, ClaimsOfWhatDoesNotExistAreForgotten) {
  Members members = {member("a", {"t", "u"}), member("b", {"t", "u"})};
  const Partitions claims = {{"t", 5}, {"t", -1}, {"gone", 0}, {"", 2}, {"t", 1}, {"t", 1}};
  hold(members, {claims, {{"u", 0}, {"u", 9}}}, 3, GetParam());
  std::int32_t generation = 3;
  const Topics topics = {{"t", 2, {}}, {"u", 2, {}}};
  const GroupAssignment given = settle(GetParam(), members, topics, generation, 3);
  EXPECT_EQ(wrong_with(given, members, topics, false), "");
  EXPECT_EQ(spread(given), 0U);
}

// Sizes at which a step that is quadratic in partitions would take minutes.
TEST_P(Sticky, LargeGroups) {
  for (const bool same : {true, false}) {
    Generator make(1);
    Topics topics;
    for (int t = 0; t < 100; ++t) {
      topics.push_back({"topic" + std::to_string(t), 50, {}});
      for (int p = 0; p < 50; ++p) topics.back().racks.push_back({std::string(1, "xyz"[p % 3])});
    }
    Members members = make.members(200, topics, same, true);
    std::int32_t generation = 0;
    settle(GetParam(), members, topics, generation, 2);
    members.resize(170);
    const GroupAssignment given = settle(GetParam(), members, topics, generation, 8);
    EXPECT_EQ(wrong_with(given, members, topics, false), "");
    EXPECT_LE(spread(given), 1U);
  }
}

TEST_P(Sticky, OneHasAllOfLargeTopics) {
  const Topics topics = {{"t", 30'000, {}}, {"u", 30'000, {}}};
  Members members = {member("a", {"t", "u"})};
  for (int m = 0; m < 300; ++m) {
    members.push_back(member("b" + std::to_string(m), {m % 2 == 0 ? "t" : "u"}));
  }
  std::int32_t generation = 0;
  GroupAssignment all(members.size());
  for (const GroupTopic& topic : topics) {
    for (std::int32_t p = 0; p < topic.partitions; ++p) all[0].push_back({topic.name, p});
  }
  hold(members, all, generation, GetParam());
  const GroupAssignment given = settle(GetParam(), members, topics, generation, 4);
  EXPECT_EQ(wrong_with(given, members, topics, false), "");
  EXPECT_EQ(uneven(given, members), "");
}

INSTANTIATE_TEST_SUITE_P(Both, Sticky, ::testing::Values("sticky", "cooperative-sticky"),
                         [](const auto& name) {
                           return name.param.substr(0, name.param.find('-'));
                         });

// A partition is handed out only when nobody else holds it any more.
TEST(CooperativeSticky, RevokesFirst) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Generator make(seed);
    const bool racks = make.below(2) == 0;
    const Topics topics = make.topics(1 + make.below(6), 15, racks);
    Members members = make.members(1 + make.below(8), topics, make.below(2) == 0, racks);
    for (int round = 0; round < 6; ++round) {
      const GroupAssignment given = assign("cooperative-sticky", members, topics);
      for (std::size_t m = 0; m < members.size(); ++m) {
        for (const TopicPartition& p : given[m]) {
          const auto holds = [&p](const GroupMember& member) {
            return std::find(member.owned.begin(), member.owned.end(), p) != member.owned.end();
          };
          EXPECT_TRUE(holds(members[m]) || std::none_of(members.begin(), members.end(), holds))
              << seed << " " << p.topic << "/" << p.partition;
        }
      }
      GroupAssignment again = given;
      revoke_first(members, again);
      EXPECT_EQ(again, given) << seed;
      hold(members, given, round, "cooperative-sticky");
      if (round % 2 == 0) members.push_back(make.members(1, topics, false, racks).front());
    }
  }
}

// All to the member with the least id.
class Greedy final : public Assignor {
 public:
  std::string_view name() const override { return "greedy"; }
  bool cooperative() const override { return true; }
  GroupAssignment assign(std::span<const GroupMember> members,
                         std::span<const GroupTopic> topics) const override {
    GroupAssignment given(members.size());
    for (const GroupTopic& topic : topics) {
      for (std::int32_t p = 0; p < topic.partitions; ++p) given[0].push_back({topic.name, p});
    }
    return given;
  }
};

TEST(UserAssignor, WhatMovesIsRevokedFirst) {
  Members members = {member("a", {"t"}, {{"t", 0}}), member("b", {"t"}, {{"t", 2}, {"u", 0}})};
  const Greedy greedy;
  EXPECT_TRUE(greedy.user_data({{{"t", 1}}, 4}).empty());
  GroupAssignment given = greedy.assign(members, Topics{{"t", 3, {}}});
  revoke_first(members, given);
  EXPECT_EQ(given, (GroupAssignment{{{"t", 0}, {"t", 1}}, {}}));
  members[0].owned = given[0];
  members[1].owned = given[1];
  given = greedy.assign(members, Topics{{"t", 3, {}}});
  revoke_first(members, given);
  EXPECT_EQ(given, (GroupAssignment{{{"t", 0}, {"t", 1}, {"t", 2}}, {}}));
}

TEST(BuiltInAssignor, IsFoundByName) {
  for (const std::string& name : kNames) {
    const auto assignor = built_in_assignor(name);
    ASSERT_TRUE(assignor);
    EXPECT_EQ(assignor->name(), name);
    EXPECT_EQ(assignor->cooperative(), name == "cooperative-sticky");
  }
  EXPECT_FALSE(built_in_assignor("uniform"));
}

TEST(BuiltInAssignor, UserDataBeforeTheFirstAssignment) {
  EXPECT_TRUE(built_in_assignor("range")->user_data({{{"t", 1}}, 4}).empty());
  EXPECT_TRUE(built_in_assignor("sticky")->user_data({}).empty());
  EXPECT_EQ(hex_of(built_in_assignor("cooperative-sticky")->user_data({})), "ffffffff");
}

using Preferences = std::vector<std::vector<std::string>>;

TEST(ChooseProtocol, TakesWhatMostPutFirstOfWhatAllBring) {
  EXPECT_EQ(choose_protocol(Preferences{{"range"}}), "range");
  EXPECT_EQ(choose_protocol(Preferences{
                {"a", "range", "sticky"}, {"sticky", "range"}, {"range", "b", "sticky"}}),
            "range");
  EXPECT_EQ(
      choose_protocol(Preferences{{"sticky", "range"}, {"range", "sticky"}, {"sticky", "range"}}),
      "sticky");
  EXPECT_EQ(choose_protocol(Preferences{{"range", "range"}, {"sticky"}}), "");
  EXPECT_EQ(choose_protocol(Preferences{{"range"}, {}}), "");
  EXPECT_EQ(choose_protocol({}), "");
}

// Java's hash map has these in the order sticky, range, roundrobin, cooperative-sticky.
TEST(ChooseProtocol, TiesGoAsTheCoordinatorsDo) {
  const std::vector<std::string> order = {"sticky", "range", "roundrobin", "cooperative-sticky"};
  for (std::size_t a = 0; a < order.size(); ++a) {
    for (std::size_t b = a + 1; b < order.size(); ++b) {
      EXPECT_EQ(choose_protocol(Preferences{{order[a], order[b]}, {order[b], order[a]}}), order[a]);
      EXPECT_EQ(choose_protocol(Preferences{{order[b], order[a]}, {order[a], order[b]}}), order[a]);
    }
  }
}

TEST(StickyUserData, BothVersionsAreRead) {
  const HeldPartitions held{{{"a", 1}, {"a", 3}, {"b", 0}}, 12};
  Bytes data = encode_sticky_user_data(held);
  auto read = decode_sticky_user_data(data);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->partitions, held.partitions);
  EXPECT_EQ(read->generation, 12);
  data.resize(data.size() - 4);
  read = decode_sticky_user_data(data);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->partitions, held.partitions);
  EXPECT_EQ(read->generation, -1);
}

TEST(StickyUserData, WhatIsNeitherIsRefused) {
  const Bytes data = encode_sticky_user_data({{{"topic", 1}, {"topic", 3}, {"u", 0}}, 12});
  for (std::size_t size = 0; size < data.size() - 4; ++size) {
    EXPECT_FALSE(decode_sticky_user_data(std::span(data).first(size))) << size;
  }
  EXPECT_FALSE(decode_sticky_user_data(bytes_of("ffffffff")));                // -1 topics
  EXPECT_FALSE(decode_sticky_user_data(bytes_of("7fffffff00000000")));        // far too many
  EXPECT_FALSE(decode_sticky_user_data(bytes_of("00000001ffff00000000")));    // a name of -1
  EXPECT_FALSE(decode_sticky_user_data(bytes_of("00000001000161ffffffff")));  // -1 partitions
  EXPECT_FALSE(decode_sticky_user_data(bytes_of("000000010001617fffffff0000")));
}

}  // namespace
}  // namespace tern::kafka
