#include "catalog/column.h"

#include <gtest/gtest.h>

#include <random>

#include "catalog/frame_table.h"
#include "hostile.h"
#include "samples.h"

namespace lazyvol::catalog {
namespace {

using Numbers = std::vector<std::int64_t>;

std::string packed(const Numbers& values, Slope slope = Slope::flat) {
  base::ByteWriter out;
  write_column(out, values, slope);
  return out.take();
}

TEST(Column, KeepsAnyNumbers) {
  const Numbers rows[] = {{},
                          {0},
                          {-1},
                          {7, 7, 7},
                          {INT64_MIN, INT64_MAX},
                          {0, 255},
                          {0, 256},
                          {-5, 1'000'000'000'000},
                          {INT64_MAX, INT64_MAX - 1, INT64_MIN}};
  for (const auto& values : rows) {
    for (const Slope slope : {Slope::flat, Slope::rising}) {
      const std::string bytes = packed(values, slope);
      base::ByteReader in(bytes);
      const Column column(in, values.size());
      ASSERT_FALSE(in.failed());
      EXPECT_TRUE(in.at_end());
      for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(column.at(i), values[i]) << i;
    }
  }
}

TEST(Column, EqualAndRisingNumbersTakeNoRoom) {
  EXPECT_EQ(packed(Numbers(1'000, 42)).size(), 2);
  Numbers rising;
  for (int i = 0; i < 1'000; ++i) rising.push_back(70'000 + i);
  EXPECT_EQ(packed(rising, Slope::rising).size(), 1 + 3);
  EXPECT_EQ(packed(rising).size(), 1 + 3 + 2 * 1'000);
}

TEST(Column, RefusesWhatDoesNotFit) {
  for (const std::string& bytes : {std::string("\x09\x00", 2), std::string("\x20\x00", 2),
                                   std::string("\x01\x00", 2), std::string("\x01")}) {
    base::ByteReader in(bytes);
    const Column column(in, 3);
    EXPECT_TRUE(in.failed());
    EXPECT_EQ(column.size(), 0);
  }
}

TEST(Texts, AreFoundOneByOneAndInARow) {
  std::vector<std::string> texts;
  TextsWriter writer;
  for (int i = 0; i < 100; ++i) {
    texts.emplace_back(static_cast<std::size_t>(i * 7 % 23), static_cast<char>('a' + i % 26));
    writer.add(texts.back());
  }
  base::ByteWriter out;
  writer.write(out);
  base::ByteReader in(out.view());
  const Texts read(in, texts.size());
  ASSERT_FALSE(in.failed());
  EXPECT_TRUE(in.at_end());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(read.at(i), texts[i]);
    Texts::Cursor cursor(read, i);
    for (std::size_t j = i; j < texts.size(); ++j) EXPECT_EQ(cursor.next(), texts[j]);
    EXPECT_EQ(cursor.next(), std::nullopt);
  }
  EXPECT_EQ(read.at(100), std::nullopt);
}

TEST(Texts, DamageNeverReadsPastTheEnd) {
  TextsWriter writer;
  for (int i = 0; i < 40; ++i) writer.add(std::string(static_cast<std::size_t>(i % 5), 't'));
  base::ByteWriter out;
  writer.write(out);
  with_damage(out.take(), 2'000, [](std::string_view bytes) {
    base::ByteReader in(bytes);
    const Texts texts(in, 40);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto text = texts.at(i);
      if (text && !text->empty()) {
        EXPECT_GE(text->data(), bytes.data());
        EXPECT_LE(text->data() + text->size(), bytes.data() + bytes.size());
      }
    }
  });
}

TEST(FrameTable, KeepsEachFrameOnce) {
  FrameTableWriter writer;
  for (std::uint64_t i = 0; i < 200; ++i) EXPECT_EQ(writer.add(sample_frame(i)), i);
  for (std::uint64_t i = 0; i < 200; ++i) EXPECT_EQ(writer.add(sample_frame(i)), i);
  base::ByteWriter out;
  writer.write(out);
  base::ByteReader in(out.view());
  const FrameTable table(in);
  ASSERT_TRUE(in.at_end());
  ASSERT_EQ(table.size(), 200);
  for (std::uint64_t i = 0; i < 200; ++i) EXPECT_EQ(*table.at(i), sample_frame(i));
  EXPECT_EQ(table.at(200).error().code, Code::corrupt);
  EXPECT_EQ(table.at(UINT64_MAX).error().code, Code::corrupt);
}

TEST(FrameTable, AnswersOnlyFramesThatCanBe) {
  FrameTableWriter writer;
  for (std::uint64_t i = 0; i < 20; ++i) writer.add(sample_frame(i * 9));
  base::ByteWriter out;
  writer.write(out);
  with_damage(out.take(), 5'000, [](std::string_view bytes) {
    base::ByteReader in(bytes);
    const FrameTable table(in);
    for (std::size_t i = 0; i < table.size(); ++i) {
      const auto ref = table.at(i);
      if (ref.ok()) {
        EXPECT_TRUE(check_frame_ref(*ref).ok());
      }
    }
  });
}

}  // namespace
}  // namespace lazyvol::catalog
