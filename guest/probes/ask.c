/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the word `ask [PID]`: puts every question, each in a child of its own, and tells what
 * came of it. PID is a process of the host that expects to be asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/probes/questions.h"
#include "guest/probes/subcommands.h"

#define QUESTION_SECONDS 5 /* after which a question has no answer */

/* In a child: what it changes about itself ends with it. */
static void put(const struct ask_question *question, const struct ask_context *context,
                struct fact *fact)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        alarm(QUESTION_SECONDS);
        question->ask(context, fact);
        _exit(0);
    }
    if (child < 0) {
        fact_set_text(fact, "fork: %s", strerror(errno));
    } else if (waitpid(child, &status, 0) == child && WIFSIGNALED(status)) {
        fact->outcome = FACT_REFUSED;
        fact_set_text(fact, "ended by signal %d", WTERMSIG(status));
    }
}

static void put_all(const struct ask_question *questions, const struct ask_context *context,
                    struct fact *fact)
{
    for (const struct ask_question *question = questions; question->name; question++) {
        fact_begin(fact);
        put(question, context, fact);
        fact_tell(fact, question->name);
    }
}

static void add_namespace(struct json_line *line, const char *kind)
{
    char path[64];
    char name[64];
    ssize_t size;

    snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
    size = readlink(path, name, sizeof(name) - 1);
    if (size <= 0)
        return;
    name[size] = '\0';
    snprintf(path, sizeof(path), "ns_%s", kind);
    json_text(line, path, name);
}

/* Whether root in here is root to the whole kernel: user_namespaces(7), uid_map. */
static void add_user_namespace(struct json_line *line)
{
    FILE *file = fopen("/proc/self/uid_map", "re");
    unsigned inside = 0;
    unsigned outside = 0;
    unsigned count = 0;

    if (file && fscanf(file, "%u %u %u", &inside, &outside, &count) == 3)
        json_boolean(line, "user_namespace", inside != 0 || outside != 0 || count != 4294967295U);
    if (file)
        fclose(file);
}

static void tell_self(void)
{
    static const char *const kinds[] = {"mnt", "pid",    "net",  "uts",
                                        "ipc", "cgroup", "user", "time"};
    static struct json_line line;

    json_begin(&line);
    json_text(&line, "ask", "self");
    json_format(&line, "capabilities", "%016llx", (unsigned long long)fact_capabilities());
    json_number(&line, "uid", (int64_t)getuid());
    add_user_namespace(&line);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        add_namespace(&line, kinds[i]);
    json_end(&line);
}

int word_ask(int argc, char **argv)
{
    struct ask_context context = {.outside = argc > 0 ? atoi(argv[0]) : 0};
    struct fact *fact =
        mmap(NULL, sizeof(*fact), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (fact == MAP_FAILED)
        return 1;
    tell_self();
    put_all(ask_see_questions, &context, fact);
    put_all(ask_do_questions, &context, fact);
    ask_calls();
    return 0;
}
