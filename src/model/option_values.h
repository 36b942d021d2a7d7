// Values of mount options: text to a field, and back.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::model {

/// invalid_argument.
Error bad(std::string message);

// Each set…() refuses what makes no sense with invalid_argument, in words that go on after the
// option's name, and leaves the field alone then. Each show() gives what set() reads the same from.

/// A size in bytes ("64K"); a share ("10%"); a time; yes or no; a number.
Status set(std::uint64_t& field, std::string_view text);
Status set(double& field, std::string_view text);
Status set(std::chrono::milliseconds& field, std::string_view text);
Status set(bool& field, std::string_view text);
Status set(std::uint32_t& field, std::string_view text);

std::string show(std::uint64_t value);
std::string show(std::uint32_t value);
std::string show(bool value);
std::string show(const std::string& value);
std::string show(double value);
std::string show(std::chrono::milliseconds value);

Status set_path(std::string& field, std::string_view text);
Status set_mode(std::optional<std::uint32_t>& field, std::string_view text);
Status set_owner(std::optional<std::uint32_t>& field, std::string_view text);
Status set_prefetch(bool& field, std::string_view text);
std::string show_prefetch(bool prefetch);
Status set_one_of(std::string& field, std::string_view text,
                  std::initializer_list<std::string_view> choices);
/// It becomes part of a host name.
Status set_region(std::string& field, std::string_view text);
/// A number from 1, or the name of a tag: what may stand in revisions/N and tags/NAME.
Status set_revision(std::string& field, std::string_view text);
/// What git-check-ref-format(1) forbids, as far as it could mean something else on its way.
Status set_ref(std::string& field, std::string_view text);
/// Never is 0.
Status set_interval(std::chrono::milliseconds& field, std::string_view text);
/// Given again it adds one; SOURCE's rules hold.
Status add_mirror(std::vector<std::string>& field, std::string_view text);
/// Keeps the components only: "/a//b/" is "a/b".
Status set_subdir(std::string& field, std::string_view text);
/// 0 is no limit.
Status set_download_limit(std::optional<std::uint64_t>& field, std::string_view text);

template <class T>
Status set(std::optional<T>& field, std::string_view text) {
  T value{};
  LAZYVOL_TRY(set(value, text));
  field = value;
  return {};
}

template <class T>
std::string show(const std::optional<T>& value) {
  return show(*value);
}

/// Whether `value` is in [least, most]. Errors: invalid_argument.
Status within(std::uint64_t value, std::uint64_t least, std::uint64_t most);

/// Refuses values outside [least, most]; `field` is an integer or an optional one.
template <class Field>
Status set_within(Field& field, std::string_view text, std::uint64_t least, std::uint64_t most) {
  LAZYVOL_TRY(set(field, text));
  return within(std::optional(field).value(), least, most);
}

}  // namespace lazyvol::model
