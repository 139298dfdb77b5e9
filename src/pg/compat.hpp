// Every difference between the Postgres versions that vecidx supports (15 and later) stands here, and only
// here: the rest of the code is written against one interface.
#pragma once

#include "pg/postgres.hpp"
