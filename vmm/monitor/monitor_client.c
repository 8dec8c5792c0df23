/* SPDX-License-Identifier: Apache-2.0 */
/* A client of one monitor; see monitor_client.h. */
#include "vmm/monitor/monitor_client.h"

#include <errno.h>
#include <signal.h>

int monitor_client_fd(const struct monitor_client *client)
{
    return client->ended ? -1 : client->link.control_fd;
}

int monitor_client_receive(struct monitor_client *client, struct control_event *event,
                           struct error *err)
{
    int rc = control_receive_event(client->link.control_fd, event, err);

    if (rc < 0 && rc != -ECONNRESET)
        return rc;
    if (rc <= 0) {
        client->ended = true;
        return 0;
    }
    if (event->type == CONTROL_EVENT_END) {
        client->end = *event;
        client->end_known = true;
        client->ended = true;
        monitor_link_end_by(&client->link, MONITOR_END_MS);
    }
    return 1;
}

void monitor_client_stop(struct monitor_client *client)
{
    const struct control_command command = {.type = CONTROL_COMMAND_STOP};

    monitor_link_end_by(&client->link, MONITOR_END_MS);
    if (control_send_command(client->link.control_fd, &command, NULL) < 0 && client->link.pid > 0)
        kill(client->link.pid, SIGKILL);
}

void monitor_client_send_window(const struct monitor_client *client, uint16_t rows,
                                uint16_t columns)
{
    const struct control_command command = {
        .type = CONTROL_COMMAND_WINDOW, .rows = rows, .columns = columns};

    (void)control_send_command(client->link.control_fd, &command, NULL);
}
