// Runs one fuzz target over its corpus and a few thousand mutations of it, the same at every run.
// Usage: PROGRAM CORPUS_DIRECTORY
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz_target.h"

namespace {

constexpr int kMutations = 3000;
constexpr std::size_t kLongest = 64 * 1024;

std::vector<std::string> read_corpus(const char* directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> corpus;
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return corpus;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& corpus) : corpus_(corpus) {}

  std::string next() {
    std::string text = any();
    const std::size_t rounds = 1 + below(4);
    for (std::size_t i = 0; i < rounds; ++i) mutate(text);
    text.resize(std::min(text.size(), kLongest));
    return text;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  const std::string& any() { return corpus_[below(corpus_.size())]; }

  void mutate(std::string& text) {
    constexpr char kTelling[] = "\0\xff\x7f\n<>\"'%&/\\?#[]{}:,-=.09";
    const std::size_t at = below(text.size());
    switch (below(6)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1:
        text.insert(at, 1, kTelling[below(sizeof kTelling - 1)]);
        break;
      case 2:
        text.erase(at, 1 + below(32));
        break;
      case 3:
        text.insert(at, text.substr(below(text.size()), 1 + below(64)));
        break;
      case 4: {
        const std::string& other = any();
        text = text.substr(0, at) + other.substr(std::min(below(other.size() + 1), other.size()));
        break;
      }
      default:
        text.resize(at);
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_{20'261'122};
};

void run(const std::string& text) {
  // A copy of its own on the heap: a sanitizer then sees a read past the end.
  const std::vector<std::uint8_t> exact(text.begin(), text.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto corpus = read_corpus(argv[1]);
  if (corpus.empty()) {
    std::cerr << "no corpus in " << argv[1] << std::endl;
    return 1;
  }
  run({});
  for (const auto& text : corpus) run(text);
  Mutator mutator(corpus);
  for (int i = 0; i < kMutations; ++i) run(mutator.next());
  std::cout << corpus.size() << " seeds, " << kMutations << " mutations" << std::endl;
  return 0;
}
