// What the objects of a store may be called.
#pragma once

#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::publish {

/// What a store keeps for itself lies below this; it is not part of the volume.
inline constexpr std::string_view kOwnDirectory = ".lazyvol";

/// Objects have relative paths of plain names. Errors: invalid_argument. Pure.
Status check_object_path(std::string_view path);

}  // namespace lazyvol::publish
