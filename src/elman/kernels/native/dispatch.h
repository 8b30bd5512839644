// The instruction sets of this processor, and the one in use.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace elman {

std::vector<std::string> available();  // the best first
const KernelTable& current();
bool choose(const std::string& name);  // false where this processor does not have it
long second_level_cache();             // bytes for one core; 1 MiB where the system does not report it

}  // namespace elman
