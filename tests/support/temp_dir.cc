#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>

namespace lazyvol::testing {
namespace {

[[noreturn]] void die(const std::string& what, const std::filesystem::path& path) {
  std::cerr << what << " " << path << ": " << std::generic_category().message(errno) << std::endl;
  std::abort();
}

}  // namespace

TempDir::TempDir() {
  const char* base = std::getenv("TEST_TMPDIR");
  std::string pattern =
      std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/lazyvol-test-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) die("mkdtemp", pattern);
  if (::chmod(pattern.c_str(), 0755) != 0) die("chmod", pattern);  // for servers of another user
  path_ = pattern;
}

TempDir::~TempDir() {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const bool failed = test != nullptr && test->result()->Failed();
  if (failed && std::getenv("LAZYVOL_KEEP") != nullptr) {
    std::cerr << "kept: " << path_ << std::endl;
    return;
  }
  std::error_code ignored;  // a test may have taken away the right to delete; that is no failure
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) die("write", path);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) die("read", path);
  std::string out{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) die("read", path);
  return out;
}

std::string noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string out(size + 8, '\0');
  for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(out.data() + at, &word, sizeof word);
  }
  out.resize(size);
  return out;
}

}  // namespace lazyvol::testing
