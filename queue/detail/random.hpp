#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace reelfarm::queue::detail {

/// Crockford's base 32, lower case: no letters that look like digits.
inline constexpr std::string_view kWordDigits = "0123456789abcdefghjkmnpqrstvwxyz";

/// `length` digits of kWordDigits, 5 bits of the kernel's randomness each.
std::string random_word(std::size_t length);

}  // namespace reelfarm::queue::detail
