/* The probe's sending thread: frames in real time, in bursts, each packet stamped with its time of sending in
 * the abs-capture-time extension (64-bit NTP), protected and sent with GSO. */

#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <time.h>

#include "plane.h"
#include "probe.h"
#include "segments.h"

#define NTP_EPOCH 2208988800LL /* 1970 in seconds of NTP */
#define IDLE (5 * MILLISECOND)

void probe_ns_to_stamp(int64_t now, uint8_t *stamp)
{
    write_32(stamp, (uint32_t)(now / SECOND + NTP_EPOCH));
    /* rounded up, so that reading it gives the same ns */
    write_32(stamp + 4, (uint32_t)((((uint64_t)(now % SECOND) << 32) + (uint64_t)SECOND - 1) / (uint64_t)SECOND));
}

int64_t probe_stamp_to_ns(const uint8_t *stamp)
{
    return ((int64_t)read_32(stamp) - NTP_EPOCH) * SECOND +
           (int64_t)(((uint64_t)read_32(stamp + 4) * (uint64_t)SECOND) >> 32);
}

static void send_all(struct probe_socket *socket, struct iovec *vectors, int count)
{
    struct mmsghdr messages[PROBE_MAX_BURST];
    struct segment_control controls[PROBE_MAX_BURST];
    int total = segment(vectors, count, true, &socket->remote, socket->remote_size, messages, controls);
    for (int sent = 0; sent < total;) {
        int done = sendmmsg(socket->descriptor, messages + sent, (unsigned)(total - sent), 0);
        if (done <= 0 && errno == EINTR)
            continue;
        sent += done > 0 ? done : 1; /* what the kernel refuses is lost, and the receivers will say so */
    }
}

/* Write one packet into its place in the history, protected; return its vector. */
static struct iovec make_packet(struct probe_sender *sender, const struct probe_payload *payload, bool last,
                                uint32_t timestamp, int64_t now)
{
    size_t slot = sender->sequence % PROBE_HISTORY;
    uint8_t *packet = sender->history + slot * PROBE_PACKET;
    packet[0] = sender->extensions_size > 0 ? 0x90 : 0x80;
    packet[1] = (uint8_t)((last ? 0x80 : 0) | sender->payload_type);
    write_16(packet + 2, (uint16_t)sender->sequence);
    write_32(packet + 4, timestamp);
    write_32(packet + 8, sender->ssrc);
    memcpy(packet + 12, sender->extensions, (size_t)sender->extensions_size);
    if (sender->stamp > 0)
        probe_ns_to_stamp(now, packet + 12 + sender->stamp);
    int size = 12 + sender->extensions_size;
    memcpy(packet + size, sender->data + payload->offset, payload->size);
    size += payload->size;
    if (sender->stamp_in_payload && payload->size > 8)
        probe_ns_to_stamp(now, packet + size - 8);
    if (srtp.protect(atomic_load(&sender->socket->send_session), packet, &size) != SRTP_OK)
        size = 0;
    sender->history_sizes[slot] = (uint16_t)size;
    sender->history_numbers[slot] = (uint16_t)sender->sequence;
    sender->sequence++;
    count_up(&sender->packets, 1);
    count_up(&sender->octets, payload->size);
    return (struct iovec){packet, (size_t)size};
}

static uint32_t timestamp_of(const struct probe_sender *sender)
{
    return sender->first_timestamp +
           (uint32_t)(int64_t)((double)sender->frame * sender->clock_rate / sender->fps);
}

static void send_burst(struct probe_sender *sender)
{
    struct iovec vectors[PROBE_MAX_BURST];
    uint32_t first = sender->frames[sender->looped], end = sender->frames[sender->looped + 1];
    uint32_t packets = end - first, bursts = (uint32_t)sender->bursts, burst = (uint32_t)sender->burst;
    uint32_t at = first + packets * burst / bursts, stop = first + packets * (burst + 1) / bursts;
    uint32_t timestamp = timestamp_of(sender);
    pthread_mutex_lock(&sender->socket->sending);
    /* stamped in their payloads, packets are sent one by one, so that each bears its own time and not that of the burst */
    int most = sender->stamp_in_payload ? 1 : PROBE_MAX_BURST;
    while (at < stop) {
        int count = 0;
        int64_t now = realtime_ns();
        for (; at < stop && count < most; at++)
            vectors[count++] = make_packet(sender, &sender->payloads[at], at + 1 == end, timestamp, now);
        send_all(sender->socket, vectors, count);
        note(&sender->last_timestamp, timestamp);
        note(&sender->last_sent, (uint64_t)now);
    }
    pthread_mutex_unlock(&sender->socket->sending);
}

static int64_t due(const struct probe_sender *sender)
{
    double frames = (double)sender->frame + (double)sender->burst / sender->bursts;
    return sender->start + (int64_t)(frames * 1e9 / sender->fps);
}

/* Between two frames: go on at the rate that was asked for, from now on; time stamps follow without a jump. */
static void change_rate(struct probe_sender *sender)
{
    uint64_t wanted = atomic_exchange(&sender->wanted_rate, 0);
    if (wanted == 0)
        return;
    sender->first_timestamp = timestamp_of(sender);
    sender->frame = 0;
    sender->start = monotonic_ns();
    sender->fps = (double)(wanted >> 8) / 1000;
    sender->bursts = (int)(wanted & 255);
}

/* Send what is due of one stream; return when the next is. */
static int64_t advance(struct probe_sender *sender)
{
    int64_t now = monotonic_ns();
    while (due(sender) <= now) {
        if (now - due(sender) > (int64_t)(1e9 / sender->fps))
            count_up(&sender->late, 1);
        if (sender->burst == 0 && atomic_exchange(&sender->restart, false))
            sender->looped = 0;
        send_burst(sender);
        if (++sender->burst == sender->bursts) {
            sender->burst = 0;
            sender->frame++;
            sender->looped = (sender->looped + 1) % sender->frame_count;
            change_rate(sender);
        }
    }
    return due(sender);
}

void *probe_transmit(void *argument)
{
    struct probe *probe = argument;
    pthread_setname_np(pthread_self(), "probe-send");
    while (!probe->stopping) {
        int64_t next = monotonic_ns() + IDLE;
        int count = atomic_load_explicit(&probe->sender_count, memory_order_acquire);
        for (int i = 0; i < count; i++) {
            struct probe_sender *sender = probe->senders[i];
            if (atomic_load_explicit(&sender->running, memory_order_acquire)) {
                int64_t at = advance(sender);
                next = at < next ? at : next;
            }
        }
        struct timespec until = {next / SECOND, next % SECOND};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    return NULL;
}

void probe_repeat(struct probe *probe, struct probe_socket *socket, uint32_t ssrc, uint16_t sequence)
{
    int count = atomic_load_explicit(&probe->sender_count, memory_order_acquire);
    for (int i = 0; i < count; i++) {
        struct probe_sender *sender = probe->senders[i];
        size_t slot = sequence % PROBE_HISTORY;
        if (sender->socket != socket || sender->ssrc != ssrc)
            continue;
        pthread_mutex_lock(&socket->sending);
        if (sender->history_numbers[slot] == sequence && sender->history_sizes[slot] > 0) {
            struct iovec vector = {sender->history + slot * PROBE_PACKET, sender->history_sizes[slot]};
            send_all(socket, &vector, 1);
            count_up(&sender->repeated, 1);
        }
        pthread_mutex_unlock(&socket->sending);
    }
}
