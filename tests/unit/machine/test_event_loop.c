/* SPDX-License-Identifier: Apache-2.0 */
/* Watches begin, change, end, and are never called for a descriptor that is no longer theirs. */
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/machine/event_loop.h"

struct scene {
    struct event_loop *loop;
    int one, two;
    unsigned one_calls, two_calls;
};

static int setup(void **state)
{
    static struct scene scene;

    scene = (struct scene){.one = eventfd(1, EFD_NONBLOCK), .two = eventfd(1, EFD_NONBLOCK)};
    *state = &scene;
    return event_loop_create(&scene.loop, NULL);
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    event_loop_destroy(scene->loop);
    close(scene->one);
    close(scene->two);
    return 0;
}

static void take_turns(struct event_loop *loop, unsigned count)
{
    while (count-- > 0)
        assert_true(event_loop_turn(loop) >= 0);
}

static void call_one(void *opaque, uint32_t events)
{
    struct scene *scene = opaque;

    assert_true(events & EPOLLIN);
    scene->one_calls++;
}

static void stop(void *opaque, uint32_t events)
{
    struct scene *scene = opaque;

    (void)events;
    scene->two_calls++;
    event_loop_stop(scene->loop);
}

static void ready_descriptors_are_reported(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(event_loop_watch(scene->loop, scene->one, EPOLLIN, call_one, scene), 0);
    take_turns(scene->loop, 3); /* level-triggered: again each time */
    assert_int_equal(scene->one_calls, 3);
    assert_int_equal(event_loop_watch(scene->loop, scene->two, EPOLLIN, stop, scene), 0);
    assert_int_equal(event_loop_run(scene->loop, NULL), 0);
    assert_int_equal(scene->two_calls, 1);
}

static void watch_changes_and_ends(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(event_loop_watch(scene->loop, scene->one, EPOLLIN, call_one, scene), 0);
    assert_int_equal(event_loop_watch(scene->loop, scene->one, EPOLLPRI, call_one, scene), 0);
    take_turns(scene->loop, 2);
    assert_int_equal(scene->one_calls, 0);
    assert_int_equal(event_loop_watch(scene->loop, scene->one, EPOLLIN, call_one, scene), 0);
    assert_int_equal(event_loop_watch(scene->loop, scene->one, 0, NULL, NULL), 0);
    assert_int_equal(event_loop_watch(scene->loop, scene->one, 0, NULL, NULL), 0); /* twice */
    take_turns(scene->loop, 2);
    assert_int_equal(scene->one_calls, 0);
}

/* Both are ready at once; the first handler closes the other descriptor and reuses its number. */
static void replace_other(void *opaque, uint32_t events)
{
    struct scene *scene = opaque;
    int number = scene->one;

    (void)events;
    if (scene->two_calls++ > 0)
        return;
    event_loop_watch(scene->loop, scene->one, 0, NULL, NULL);
    close(scene->one);
    scene->one = eventfd(0, EFD_NONBLOCK); /* not ready */
    assert_int_equal(scene->one, number);
    event_loop_watch(scene->loop, scene->one, EPOLLIN, call_one, scene);
}

static void stale_event_is_not_delivered(void **state)
{
    struct scene *scene = *state;

    /* epoll reports in the order in which they became ready: two was added first. */
    assert_int_equal(event_loop_watch(scene->loop, scene->two, EPOLLIN, replace_other, scene), 0);
    assert_int_equal(event_loop_watch(scene->loop, scene->one, EPOLLIN, call_one, scene), 0);
    take_turns(scene->loop, 2);
    assert_true(scene->two_calls > 0);
    assert_int_equal(scene->one_calls, 0);
}

static void what_cannot_be_watched_is_an_error(void **state)
{
    struct scene *scene = *state;
    int high = dup2(scene->one, 700);

    assert_int_equal(event_loop_watch(scene->loop, -1, EPOLLIN, call_one, NULL), -EBADF);
    assert_int_equal(high, 700); /* beyond the first array */
    assert_int_equal(event_loop_watch(scene->loop, high, EPOLLIN | EPOLLET, call_one, scene), 0);
    take_turns(scene->loop, 5);
    assert_int_equal(scene->one_calls, 1); /* edge-triggered: once */
    assert_int_equal(event_loop_watch(scene->loop, high, 0, NULL, NULL), 0);
    close(high);
}

static void count_turn(void *opaque)
{
    struct scene *scene = opaque;

    scene->one_calls++;
}

static void *wake_from_outside(void *opaque)
{
    struct scene *scene = opaque;

    event_loop_wake(scene->loop);
    event_loop_stop(scene->loop);
    return NULL;
}

static void other_threads_wake_and_stop_it(void **state)
{
    struct scene *scene = *state;
    pthread_t thread;

    event_loop_each_turn(scene->loop, count_turn, scene);
    event_loop_wake(scene->loop);
    take_turns(scene->loop, 1);
    assert_int_equal(scene->one_calls, 1);
    take_turns(scene->loop, 1); /* finds nothing: each write is reported once */
    assert_int_equal(scene->one_calls, 2);
    assert_int_equal(pthread_create(&thread, NULL, wake_from_outside, scene), 0);
    assert_int_equal(event_loop_run(scene->loop, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(event_loop_run(scene->loop, NULL), 0); /* stays stopped */
}

/* ---- stopping, whatever is ready ---- */

#define BUSY_COUNT 200

static void cut(void *opaque, uint32_t events)
{
    struct scene *scene = opaque;

    (void)events;
    scene->two_calls++;
    event_loop_cut(scene->loop);
}

/* A device that takes all of its turn. */
static void work(void *opaque, uint32_t events)
{
    struct scene *scene = opaque;

    (void)events;
    usleep(12000);
    scene->one_calls++;
}

/* Two hundred are ready each time, and became ready before the one that stops it. */
static void urgent_descriptors_need_not_wait_for_the_others(void **state)
{
    struct scene *scene = *state;
    int busy[BUSY_COUNT];
    int urgent = eventfd(1, EFD_NONBLOCK);

    for (unsigned i = 0; i < BUSY_COUNT; i++) {
        busy[i] = dup(scene->one);
        assert_int_equal(event_loop_watch(scene->loop, busy[i], EPOLLIN, work, scene), 0);
    }
    assert_int_equal(event_loop_watch(scene->loop, urgent, EPOLLIN, cut, scene), 0);
    event_loop_make_urgent(scene->loop, urgent);
    assert_int_equal(event_loop_run(scene->loop, NULL), 0);
    assert_int_equal(scene->two_calls, 1);
    assert_in_range(scene->one_calls, 0, 8); /* of 200 before it */
    event_loop_drain(scene->loop, 60000);    /* stays cut */
    assert_in_range(scene->one_calls, 0, 8);
    for (unsigned i = 0; i < BUSY_COUNT; i++) {
        event_loop_watch(scene->loop, busy[i], 0, NULL, NULL);
        close(busy[i]);
    }
    event_loop_watch(scene->loop, urgent, 0, NULL, NULL);
    close(urgent);
}

/* A descriptor that is always ready never ends; the drain does. */
static void a_drain_has_a_deadline(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(event_loop_watch(scene->loop, scene->one, EPOLLIN, work, scene), 0);
    event_loop_drain(scene->loop, 100);
    assert_in_range(scene->one_calls, 1, 9); /* of 12 ms each */
}

static void a_paused_watch_goes_on_by_itself(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(event_loop_watch(scene->loop, scene->one, EPOLLIN, call_one, scene), 0);
    event_loop_pause(scene->loop, scene->one);
    event_loop_pause(scene->loop, scene->one); /* twice has no further effect */
    take_turns(scene->loop, 3);
    assert_int_equal(scene->one_calls, 0);
    usleep(110000);
    take_turns(scene->loop, 2); /* the first ends the pause */
    assert_int_equal(scene->one_calls, 1);
    /* Changing or ending a watch ends its pause. */
    event_loop_pause(scene->loop, scene->one);
    assert_int_equal(event_loop_watch(scene->loop, scene->one, EPOLLIN, call_one, scene), 0);
    take_turns(scene->loop, 1);
    assert_int_equal(scene->one_calls, 2);
    event_loop_pause(scene->loop, scene->one);
    assert_int_equal(event_loop_watch(scene->loop, scene->one, 0, NULL, NULL), 0);
    usleep(110000);
    take_turns(scene->loop, 2);
    assert_int_equal(scene->one_calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ready_descriptors_are_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(watch_changes_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(stale_event_is_not_delivered, setup, teardown),
        cmocka_unit_test_setup_teardown(other_threads_wake_and_stop_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_watched_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(urgent_descriptors_need_not_wait_for_the_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_drain_has_a_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(a_paused_watch_goes_on_by_itself, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
