/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the word `ask`: the questions of `microvm probe`. */
#include <sys/utsname.h>

#include "guest/probes/json.h"
#include "guest/probes/words.h"

int word_ask(int argc, char **argv)
{
    static struct json_line line;
    struct utsname names;

    (void)argc;
    (void)argv;
    if (uname(&names) < 0)
        return 1;
    json_begin(&line);
    json_text(&line, "ask", "release");
    json_text(&line, "answer", names.release);
    return json_end(&line) < 0;
}
