#include "client/kafka/assignor_input.h"

#include <algorithm>
#include <map>

namespace tern::kafka {
namespace {

// One code point from the front of `text`, which is not empty. What is no UTF-8 is taken byte by
// byte.
char32_t take_code_point(std::string_view& text) {
  const auto byte = [&text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned lead = byte(0);
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  bool good = lead < 0x80 || (lead >= 0xC2 && lead < 0xF5 && text.size() >= size);
  char32_t point = size == 1 ? lead : lead & (0x7FU >> size);
  for (std::size_t i = 1; good && i < size; ++i) {
    good = (byte(i) & 0xC0U) == 0x80U;
    point = (point << 6) | (byte(i) & 0x3FU);
  }
  text.remove_prefix(good ? size : 1);
  return good && point <= 0x10FFFF ? point : 0xFFFD;
}

}  // namespace

std::u16string java_string(std::string_view text) {
  std::u16string units;
  units.reserve(text.size());
  while (!text.empty()) {
    const char32_t point = take_code_point(text);
    if (point < 0x10000) {
      units.push_back(static_cast<char16_t>(point));
    } else {
      units.push_back(static_cast<char16_t>(0xD7C0 + (point >> 10)));
      units.push_back(static_cast<char16_t>(0xDC00 + (point & 0x3FF)));
    }
  }
  return units;
}

std::uint32_t java_hash(std::string_view text) {
  std::uint32_t hash = 0;
  for (const char16_t unit : java_string(text)) hash = 31 * hash + unit;
  return hash;
}

std::uint32_t java_table(std::size_t keys) {
  std::uint32_t table = 16;
  while (std::size_t{table} / 4 * 3 < keys) table *= 2;
  return table;
}

AssignorInput::AssignorInput(std::span<const GroupMember> members,
                             std::span<const GroupTopic> topics)
    : all_(members) {
  number_members();
  number_topics(topics);
  number_racks(topics);
}

void AssignorInput::number_members() {
  std::vector<std::pair<std::u16string, std::size_t>> ids;
  for (std::size_t i = 0; i < all_.size(); ++i) ids.emplace_back(java_string(all_[i].id), i);
  std::sort(ids.begin(), ids.end());
  const std::uint32_t table = java_table(ids.size());
  std::vector<std::pair<std::uint32_t, int>> places;
  for (const auto& [id, i] : ids) {
    places.emplace_back(java_bucket(java_hash(all_[i].id), table),
                        static_cast<int>(members_.size()));
    members_.push_back(i);
  }
  std::sort(places.begin(), places.end());
  for (const auto& place : places) java_order_.push_back(place.second);
}

void AssignorInput::number_topics(std::span<const GroupTopic> topics) {
  std::map<std::string_view, std::int32_t> existing;
  for (const GroupTopic& topic : topics) {
    if (topic.partitions > 0) existing.emplace(topic.name, topic.partitions);
  }
  std::vector<std::vector<std::string_view>> wishes(members_.size());
  std::map<std::string_view, int> numbers;
  for (std::size_t m = 0; m < members_.size(); ++m) {
    std::vector<std::string_view>& wish = wishes[m];
    const std::vector<std::string>& names = all_[members_[m]].topics;
    wish.assign(names.begin(), names.end());
    std::sort(wish.begin(), wish.end());
    wish.erase(std::unique(wish.begin(), wish.end()), wish.end());
    if (wish != wishes.front()) same_topics_ = false;
    for (const std::string_view name : wish) {
      if (existing.contains(name)) numbers.emplace(name, 0);
    }
  }
  for (auto& [name, number] : numbers) {
    number = static_cast<int>(topics_.size());
    const std::int32_t count = existing.at(name);
    topics_.push_back({name, partitions(), count, {}});
    topic_of_.insert(topic_of_.end(), index(count), number);
  }
  subscribed_.resize(members_.size() * topics_.size());
  topics_of_.resize(members_.size());
  for (std::size_t m = 0; m < members_.size(); ++m) {
    for (const std::string_view name : wishes[m]) {
      const auto found = numbers.find(name);
      if (found == numbers.end()) continue;
      topics_of_[m].push_back(found->second);
      topics_[index(found->second)].subscribers.push_back(static_cast<int>(m));
      subscribed_[m * topics_.size() + index(found->second)] = true;
    }
  }
}

void AssignorInput::number_racks(std::span<const GroupTopic> topics) {
  std::map<std::string_view, int> numbers;
  const auto number = [&numbers](std::string_view rack) {
    return numbers.emplace(rack, static_cast<int>(numbers.size())).first->second;
  };
  for (const std::size_t m : members_) {
    rack_of_.push_back(all_[m].rack.empty() ? -1 : number(all_[m].rack));
  }
  racks_of_.resize(topic_of_.size());
  for (const GroupTopic& topic : topics) {
    for (std::size_t i = 0; i < topic.racks.size(); ++i) {
      const int p = find({topic.name, static_cast<std::int32_t>(i)});
      if (p < 0) break;
      std::vector<int>& racks = racks_of_[index(p)];
      for (const std::string& rack : topic.racks[i]) racks.push_back(number(rack));
      std::sort(racks.begin(), racks.end());
      racks.erase(std::unique(racks.begin(), racks.end()), racks.end());
    }
  }
  racks_ = static_cast<int>(numbers.size());
}

int AssignorInput::find(const TopicPartition& partition) const {
  const auto at =
      std::lower_bound(topics_.begin(), topics_.end(), std::string_view(partition.topic),
                       [](const Topic& topic, std::string_view name) { return topic.name < name; });
  if (at == topics_.end() || at->name != partition.topic) return -1;
  if (partition.partition < 0 || partition.partition >= at->count) return -1;
  return at->first + partition.partition;
}

bool AssignorInput::in_rack(int p, int rack) const {
  const std::vector<int>& racks = racks_of_[index(p)];
  return std::find(racks.begin(), racks.end(), rack) != racks.end();
}

bool AssignorInput::racks_matter(std::span<const int> members, int first, int end) const {
  std::vector<bool> seen(index(racks_));
  std::size_t count = 0;
  for (int p = first; p < end; ++p) {
    for (const int rack : racks_of_[index(p)]) {
      count += seen[index(rack)] ? 0 : 1;
      seen[index(rack)] = true;
    }
  }
  const bool shared = std::any_of(members.begin(), members.end(), [&](int m) {
    return rack_of(m) >= 0 && seen[index(rack_of(m))];
  });
  if (!shared) return false;
  for (int p = first; p < end; ++p) {
    if (racks_of_[index(p)].size() != count) return true;
  }
  return false;
}

GroupAssignment AssignorInput::named(const std::vector<int>& owner) const {
  GroupAssignment assignment(all_.size());
  for (int p = 0; p < partitions(); ++p) {
    if (owner[index(p)] < 0) continue;
    const Topic& of = topic(topic_of(p));
    assignment[members_[index(owner[index(p)])]].push_back({std::string(of.name), p - of.first});
  }
  return assignment;
}

}  // namespace tern::kafka
