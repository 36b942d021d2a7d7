// A test server that a script steers over pipes.
#pragma once

#include <functional>
#include <istream>
#include <map>
#include <string>

#include "support/servers.h"

namespace lazyvol::testing {

/// What a verb does with the words after it. Its answer is one line.
using Verb = std::function<std::string(std::istream& words)>;

/// Obeys lines on standard input, each answered by one line, until end of file. Every server has:
///   delay MS            one-way delay of the relay
///   connections         accepted by the relay so far
void obey(Relay& relay, std::map<std::string, Verb> verbs);

/// A verb that answers "ok".
Verb doing(std::function<void()> what);

}  // namespace lazyvol::testing
