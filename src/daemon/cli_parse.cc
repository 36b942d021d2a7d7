#include "daemon/cli_parse.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace lazyvol::daemon {

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\r') continue;
    if (c == '\n') {
      if (!line.empty() && !line.ends_with("; ")) line += "; ";
    } else {
      line += c;
    }
  }
  while (line.ends_with(' ') || line.ends_with(';')) line.pop_back();
  return line;
}

std::string printable(std::string_view path) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string shown;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f && c != '\\') {
      shown += c;
    } else {
      shown += "\\x";
      shown += kDigits[byte >> 4];
      shown += kDigits[byte & 15];
    }
  }
  return shown;
}

std::optional<int> parse_command_line(CLI::App& app, const std::vector<std::string>& arguments,
                                      std::string_view program, Console console, int usage_status) {
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
  try {
    app.parse(std::move(reversed));
    return std::nullopt;
  } catch (const CLI::CallForHelp& call) {
    app.exit(call, console.out, console.err);
    return kExitOk;
  } catch (const CLI::CallForAllHelp& call) {
    app.exit(call, console.out, console.err);
    return kExitOk;
  } catch (const CLI::CallForVersion& call) {
    console.out << call.what() << std::endl;
    return kExitOk;
  } catch (const CLI::Error& error) {
    std::string help(program);
    for (const CLI::App* verb : app.get_subcommands()) help += " " + verb->get_name();
    console.err << program << ": " << one_line(error.what()) << " (see " << help << " --help)"
                << std::endl;
    return usage_status;
  }
}

std::vector<std::string> arguments_of(int argc, char** argv) {
  return {argv + std::min(argc, 1), argv + argc};
}

Console process_console() {
  return {std::cout, std::cerr, isatty(STDOUT_FILENO) == 1};
}

}  // namespace lazyvol::daemon
