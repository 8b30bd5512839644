// The instruction sets of this processor, and the one in use.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace elman {

std::vector<std::string> compiled();   // whether this processor has them or not
std::vector<std::string> available();  // the best first; emulated tiles last
const KernelTable& current();
bool choose(const std::string& name);  // false where this processor does not have it

// Of the processor and the system, whatever was compiled: whether there are matrix tiles, and may be used.
enum class Tiles { none, refused, permitted };
Tiles tiles();

long second_level_cache();  // bytes for one core; 1 MiB where the system does not report it

}  // namespace elman
