// ~/.aws/config and ~/.aws/credentials, and the command lines in them.
#include "fuzz_target.h"
#include "net/ini_file.h"
#include "net/key_command.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  const auto file = net::parse_ini(fuzzing::text(data, size));
  if (!file.ok()) {
    fuzzing::require(
        file.error().message.starts_with("line ") || file.error().code == Code::too_large,
        "an error names its line");
    return 0;
  }
  for (const auto& [section, values] : *file) {
    fuzzing::require(section.find('\n') == std::string::npos, "a section is one line");
    for (const auto& [key, value] : values) {
      fuzzing::require(!key.empty() && key.find('\n') == std::string::npos, "a key is one line");
      fuzzing::require(value.find('\n') == std::string::npos, "a value is one line");
      const auto words = net::split_command(value);
      fuzzing::require(!words.ok() || !words->front().empty(), "a command has a program");
    }
  }
  return 0;
}
