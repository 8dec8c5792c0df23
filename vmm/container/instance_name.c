/* SPDX-License-Identifier: Apache-2.0 */
/* Names of instances; see instance_name.h. */
#include "vmm/container/instance_name.h"

#include <stdio.h>
#include <string.h>

#include "vmm/base/bytes.h"

static const char *const adjectives[] = {
    "able",   "amber",   "bold",   "brave",  "brief",  "bright", "calm",  "clear",
    "clever", "cosy",    "crisp",  "daring", "deep",   "eager",  "early", "fair",
    "fast",   "fine",    "fresh",  "gentle", "glad",   "golden", "grand", "green",
    "happy",  "honest",  "humble", "jolly",  "keen",   "kind",   "light", "lively",
    "lucid",  "lucky",   "mellow", "merry",  "mild",   "modest", "neat",  "nimble",
    "noble",  "patient", "plain",  "proud",  "quick",  "quiet",  "rapid", "ready",
    "serene", "sharp",   "silent", "silver", "simple", "sober",  "solid", "steady",
    "sunny",  "swift",   "tidy",   "tiny",   "vivid",  "warm",   "wise",  "witty",
};
static const char *const nouns[] = {
    "acorn",   "anchor", "aspen",   "badger",  "beacon", "birch",  "bridge", "brook",
    "candle",  "canyon", "cedar",   "clover",  "comet",  "coral",  "crane",  "dune",
    "eagle",   "ember",  "falcon",  "fern",    "finch",  "fjord",  "forest", "fox",
    "garden",  "glade",  "harbour", "hazel",   "heron",  "hill",   "island", "ivy",
    "kestrel", "lake",   "lantern", "lark",    "linden", "lynx",   "maple",  "marten",
    "meadow",  "meteor", "moss",    "oak",     "orchid", "otter",  "owl",    "pebble",
    "pine",    "planet", "pond",    "raven",   "reef",   "river",  "robin",  "sparrow",
    "spruce",  "stone",  "summit",  "thistle", "tulip",  "valley", "willow", "wren",
};

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool instance_name_is_valid(const char *name)
{
    size_t length = strlen(name);

    if (length > INSTANCE_NAME_MAX || !is_letter_or_digit(name[0]))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_letter_or_digit(name[i]) && !strchr("_.-", name[i]))
            return false;
    }
    return true;
}

void instance_name_generate(uint32_t seed, char name[INSTANCE_NAME_MAX + 1])
{
    snprintf(name, INSTANCE_NAME_MAX + 1, "%s_%s", adjectives[seed % ARRAY_LENGTH(adjectives)],
             nouns[seed / ARRAY_LENGTH(adjectives) % ARRAY_LENGTH(nouns)]);
}
