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

GroupAssignment assign(const std::string& name, const Members& members, const Topics& topics) {
  return built_in_assignor(name)->assign(members, topics);
}

// How often each member has to have a partition, so to speak: what is wrong with an assignment.
// `may_hold`: a partition may be with nobody for now.
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
  std::size_t due = 0;
  for (const GroupTopic& topic : topics) {
    const bool wanted = std::any_of(members.begin(), members.end(), [&](const GroupMember& m) {
      return std::find(m.topics.begin(), m.topics.end(), topic.name) != m.topics.end();
    });
    for (std::int32_t p = 0; wanted && p < topic.partitions; ++p) {
      ++due;
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
  int same = 0, own = 0;
  for (const Case& one : golden()) {
    const Members members = joined(one, GetParam());
    const GroupAssignment got = assign(GetParam(), members, one.topics);
    EXPECT_EQ(wrong_with(got, members, one.topics, GetParam() == "cooperative-sticky"), "")
        << one.name;
    const std::string& wanted = one.results.at(GetParam());
    if (wanted == "!") {
      ++own;
      continue;
    }
    EXPECT_EQ(show(got, one.topics), wanted) << one.name;
    ++same;
  }
  EXPECT_GT(same, 400);
  EXPECT_LT(own, 8);
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
  EXPECT_GT(read, 15);
  EXPECT_GT(written, 3);
}

}  // namespace
}  // namespace tern::kafka
