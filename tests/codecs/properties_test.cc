// Codecs and their levels by Kafka's own names for settings.
#include "client/kafka/properties.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "client/codecs/lz4.h"
#include "client/codecs/snappy.h"
#include "client/codecs/zstd.h"

namespace tern::kafka {
namespace {

Configs all_codecs() {
  Configs configs;
  configs.client.codecs = {gzip(), lz4(), snappy(), zstd()};
  return configs;
}

Failure refused(const std::string& text, Configs configs = all_codecs()) {
  const Failure failure = parse_properties(text, configs);
  EXPECT_TRUE(failure) << text;
  return failure;
}

// Which of the codecs are others after reading `text`: "gzip lz4 ".
std::string changed(const std::string& text) {
  const Configs before = all_codecs();
  Configs after = before;
  const Failure failure = parse_properties(text, after);
  EXPECT_FALSE(failure) << failure.message();
  EXPECT_EQ(after.client.codecs.size(), before.client.codecs.size());
  std::string names;
  for (std::size_t i = 0; i < before.client.codecs.size(); ++i) {
    EXPECT_EQ(before.client.codecs[i]->id(), after.client.codecs[i]->id());
    if (before.client.codecs[i] != after.client.codecs[i]) {
      names += name(after.client.codecs[i]->id()) + std::string(" ");
    }
  }
  return names;
}

TEST(CodecProperties, EveryCodecCanBeChosen) {
  for (const Compression id : {Compression::gzip, Compression::snappy, Compression::lz4,
                               Compression::zstd, Compression::none}) {
    Configs configs = all_codecs();
    EXPECT_FALSE(parse_properties(std::string("compression.codec=") + name(id), configs));
    EXPECT_EQ(configs.producer.compression, id);
    EXPECT_FALSE(check(configs.producer, configs.client));
  }
}

TEST(CodecProperties, LevelsReachTheirCodec) {
  EXPECT_EQ(changed("compression.gzip.level=9"), "gzip ");
  EXPECT_EQ(changed("compression.lz4.level=9"), "lz4 ");
  EXPECT_EQ(changed("compression.zstd.level=-7"), "zstd ");
  // librdkafka's reaches the one that is chosen, wherever that is said.
  EXPECT_EQ(changed("compression.level=9"), "");
  EXPECT_EQ(changed("compression.level=9\ncompression.type=lz4"), "lz4 ");
  EXPECT_EQ(changed("compression.type=zstd\ncompression.level=19"), "zstd ");
  EXPECT_EQ(changed("topic.compression.level=1\ncompression.type=gzip"), "gzip ");
  EXPECT_EQ(changed("compression.type=zstd\ncompression.level=-1"), "");
  EXPECT_EQ(changed("compression.type=snappy\ncompression.level=5"), "");
  EXPECT_EQ(changed("compression.type=lz4\ncompression.level=22\ncompression.level=2"), "lz4 ");
}

TEST(CodecProperties, LevelsThatAreNoneAreRefused) {
  for (const auto& [text, wants] : std::initializer_list<std::pair<const char*, const char*>>{
           {"compression.lz4.level=13", "the level of lz4 has to be from 0 to 12"},
           {"compression.zstd.level=23", "the level of zstd has to be from -131072 to 22"},
           {"compression.zstd.level=high", "a whole number"},
           {"compression.gzip.level=0", "the level of gzip has to be -1 or from 1 to 9"},
           {"compression.level=-2", "a level of the codec that is chosen"},
           {"compression.level=13\ncompression.type=lz4", "line 1: compression.level: \"13\""},
       }) {
    const std::string message = refused(text).message();
    EXPECT_NE(message.find(wants), std::string::npos) << message;
  }
  const Failure missing = refused("compression.zstd.level=3", Configs());
  EXPECT_EQ(missing.code, ClientErrc::codec_missing);
  EXPECT_NE(missing.message().find("holds no zstd"), std::string::npos) << missing.message();
}

}  // namespace
}  // namespace tern::kafka
