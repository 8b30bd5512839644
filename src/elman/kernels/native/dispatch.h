// Which instruction sets this processor has, and which one is in use.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace elman {

std::vector<std::string> available();  // the best first
const Table& current();
bool choose(const std::string& name);  // false where the machine does not have it
long second_level_cache();             // bytes of one core's; 1 MiB where the machine does not say

}  // namespace elman
