// The highest version of each API that a release of Kafka offers.
#ifndef TERN_TESTS_BROKER_RELEASES_H_
#define TERN_TESTS_BROKER_RELEASES_H_

#include <cstdint>

#include "tests/broker/faults.h"

namespace tern::broker {

// -1 if that release does not have the API; INT16_MAX if it is not limited here.
std::int16_t max_version_of(Release release, std::int16_t api_key);

}  // namespace tern::broker

#endif  // TERN_TESTS_BROKER_RELEASES_H_
