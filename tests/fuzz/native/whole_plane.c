/* The whole plane without its thread, socket and cryptography: a publisher and a subscriber say anything, time passes,
 * Python changes its mind. Input: steps of a kind, a length of two bytes, and the bytes. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "plane.h"
#include "plane_alone.h"
#include "target.h"

/* The least that a producer may have (media.checks), so that it goes round soon. */
#define HISTORY_BYTES (1 << 16)

static struct plane *plane;
static int64_t started;

/* the kernel takes everything (the linker's --wrap) */
int __wrap_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags)
{
    (void)descriptor, (void)messages, (void)flags;
    return (int)count;
}

ssize_t __wrap_sendto(int descriptor, const void *data, size_t size, int flags, const struct sockaddr *name,
                      socklen_t name_size)
{
    (void)descriptor, (void)data, (void)flags, (void)name, (void)name_size;
    return (ssize_t)size;
}

static struct transport *make_transport(uint64_t id, const struct address *address)
{
    struct transport *transport = object_make(plane, OBJECT_TRANSPORT, sizeof *transport);
    transport->id = id;
    transport->receive_session = transport->send_session = plane;
    add_transport(plane, transport);
    validate_address(plane, transport, address, true);
    return transport;
}

static void attach_part(struct transport *transport, enum part part, size_t size)
{
    void *made = pages_make(size);
    commands_push(plane, &(struct command){.kind = COMMAND_ATTACH, .subject = transport, .number = {(int)part},
                                           .part = made});
    commands_carry_out(plane);
}

static struct producer *make_producer(struct transport *transport, enum codec codec, int encodings)
{
    struct producer *producer = object_make(plane, OBJECT_PRODUCER, sizeof *producer);
    producer->id = 1;
    producer->transport = transport;
    producer->codec = codec;
    producer->clock_rate = 90000;
    producer->payload_type = 96;
    producer->rtx_payload_type = 97;
    producer->red_payload_type = codec == CODEC_OPUS ? 98 : 0;
    producer->nack = producer->tapped = true;
    producer->encoding_count = encodings;
    for (int i = 0; i < EXTENSIONS; i++)
        producer->extension_ids[i] = (uint8_t)(i + 1);
    for (int i = 0; i < encodings; i++) {
        struct encoding *encoding = &producer->encodings[i];
        encoding->producer = producer;
        encoding->index = (uint8_t)i;
        encoding->ssrc = 1000 + (uint32_t)i;
        encoding->rtx_ssrc = 2000 + (uint32_t)i;
        encoding->offset_known = true;
        encoding->active = ALL_TARGETS;
        if (!history_make(&encoding->history, HISTORY_BYTES, SECOND))
            abort();
    }
    add_producer(plane, producer);
    return producer;
}

static struct consumer *make_consumer(struct producer *producer, struct transport *transport, bool redundant)
{
    struct consumer *consumer = object_make(plane, OBJECT_CONSUMER, sizeof *consumer);
    consumer->id = 1;
    consumer->producer = producer;
    consumer->transport = transport;
    consumer->payload_type = 102;
    consumer->rtx_payload_type = 103;
    consumer->fec_payload_type = 104;
    consumer->red_payload_type = redundant ? 105 : 0;
    consumer->ssrc = 3000;
    consumer->rtx_ssrc = 3001;
    consumer->fec_ssrc = 3002;
    consumer->protection = calloc(1, sizeof *consumer->protection);
    for (int i = 0; i < EXTENSIONS; i++)
        consumer->extension_ids[i] = (uint8_t)(i + 1);
    if (transport->sent == NULL)
        consumer->extension_ids[EXTENSION_TRANSPORT_WIDE] = 0; /* Python attaches it wherever it is negotiated */
    consumer->fixed_size = write_fixed_extensions(consumer->extension_ids, "0", 1, 0, 300, consumer->fixed_extensions);
    layers_start(consumer);
    add_consumer(plane, consumer);
    return consumer;
}

/* Its sender goes, or comes back: under the same SSRCs or with the encodings changed about. */
static void move(const uint8_t *data, struct producer *producer, struct transport *publisher)
{
    struct stream_spec spec = {.payload_type = 96, .rtx_payload_type = 97, .nack = data[2] & 1};
    spec.red_payload_type = producer->codec == CODEC_OPUS ? 98 : 0;
    memcpy(spec.extension_ids, producer->extension_ids, sizeof spec.extension_ids);
    for (int i = 0; i < producer->encoding_count; i++) {
        uint32_t turned = (uint32_t)((i + data[3]) % producer->encoding_count);
        spec.ssrcs[i] = 1000 + turned;
        spec.rtx_ssrcs[i] = 2000 + turned;
    }
    struct command command = {.kind = COMMAND_MOVE_PRODUCER, .subject = producer};
    command.part = data[1] & 1 ? publisher : NULL;
    command.block = object_make(plane, OBJECT_BLOCK, sizeof *command.block + sizeof spec);
    command.block->size = sizeof spec;
    memcpy(command.block->data, &spec, sizeof spec);
    commands_push(plane, &command);
    commands_carry_out(plane);
}

static void decide(const uint8_t *data, size_t size, struct producer *producer, struct consumer *consumer,
                   struct transport *publisher)
{
    if (size < 4)
        return;
    struct command command = {.subject = consumer};
    switch (data[0] % 8) {
    case 0:
        command.kind = COMMAND_SET_LAYER;
        command.layer = (struct layer){(uint8_t)(data[1] % producer->encoding_count), data[2] & 3, data[3] & 3};
        break;
    case 1:
        command.kind = COMMAND_SET_PAUSED;
        command.flag = data[1] & 1;
        break;
    case 2:
        command.kind = COMMAND_SET_PACING;
        command.subject = consumer->transport;
        command.time = (int64_t)read_16(data + 1) * 10000;
        break;
    case 3:
        command.kind = COMMAND_PROBE;
        command.subject = consumer->transport;
        command.number[0] = 1 + data[1];
        command.number[1] = 1 + data[2] % 50;
        command.time = 100000 + data[3] * 100000;
        break;
    case 4:
        command.kind = COMMAND_SET_FEC;
        command.time = data[1] * 2;
        break;
    case 5:
        command.kind = COMMAND_SET_TIMESTAMP_OFFSET;
        command.subject = producer;
        command.number[0] = data[1] % producer->encoding_count;
        command.ssrc = read_16(data + 2) * 65537u;
        break;
    case 6:
        move(data, producer, publisher);
        return;
    default:
        command.kind = COMMAND_SET_ROUND_TRIP;
        command.subject = data[1] & 1 ? consumer->transport : publisher;
        command.time = data[2] * MILLISECOND;
    }
    commands_push(plane, &command);
    commands_carry_out(plane);
}

static void timers(void)
{
    layers_run(plane);
    missing_ask(plane);
    pacer_run(plane);
    probe_run(plane);
    wide_tell(plane);
}

static void say(int kind, uint8_t *data, size_t size, const struct address *from, const struct producer *producer)
{
    if (kind != 2 && size >= 12) {
        data[0] = (uint8_t)(0x80 | (data[0] & 0x3f));
        if (kind == 3) {
            /* what receivers say: reports and feedback about our streams */
            data[1] = (uint8_t)(200 + data[1] % 8);
            write_32(data + 8, 3000 + (data[11] & 3));
            write_16(data + 2, (uint16_t)(size / 4 - 1));
            size = size / 4 * 4;
        } else {
            bool rtx = kind == 1 && (data[1] & 1);
            uint8_t plain = producer->red_payload_type != 0 && (data[1] & 2) ? producer->red_payload_type : 96;
            data[1] = (uint8_t)((data[1] & 0x80) | (rtx ? 97 : plain));
            write_32(data + 8, (rtx ? 2000u : 1000u) + data[11] % (unsigned)producer->encoding_count);
        }
    }
    classify(plane, data, size, from, realtime_ns());
    fan_out(plane);
    send_batch(plane);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (plane == NULL)
        plane = plane_alone(&started);
    if (size < 2)
        return 0;
    struct address here, there;
    address_from_text(&here, "127.0.0.1", 5001);
    address_from_text(&there, "127.0.0.1", 5002);
    struct transport *publisher = make_transport(1, &here), *subscriber = make_transport(2, &there);
    /* they are large: not for each input */
    if (data[1] & 0x10)
        attach_part(publisher, PART_ARRIVALS, sizeof(struct arrivals));
    if (data[1] & 0x20)
        attach_part(subscriber, PART_SENT, sizeof(struct sent_window));
    if (data[1] & 0x40)
        attach_part(subscriber, PART_PACER, sizeof(struct pacer));
    struct producer *producer = make_producer(publisher, (enum codec)(data[0] % CODECS), 1 + data[1] % 3);
    struct consumer *consumer = make_consumer(producer, subscriber, data[1] & 0x80);
    data += 2, size -= 2;
    while (size >= 3) {
        int kind = data[0] % 8;
        size_t length = read_16(data + 1) % (MAX_DATAGRAM + 8);
        data += 3, size -= 3;
        length = length < size ? length : size;
        uint8_t *copy = exactly(data, length);
        if (kind == 5) {
            plane->now += length >= 2 ? read_16(data) * 20000LL : MILLISECOND;
            timers();
        } else if (kind == 6) {
            decide(copy, length, producer, consumer, publisher);
        } else {
            say(kind == 7 ? 0 : kind, copy, length, kind == 3 || kind == 4 ? &there : &here, producer);
        }
        data += length;
        size -= length;
    }
    timers();
    remove_transport(plane, subscriber);
    if (producer->transport == NULL)
        remove_producer(plane, producer);
    remove_transport(plane, publisher);
    struct retired *next;
    for (struct retired *object = graveyard_take(&plane->graveyard); object != NULL; object = next) {
        next = object->next;
        object_free(plane, object);
    }
    /* nobody collects events and tap: both are emptied as Python would */
    byte_ring_take(&plane->events, byte_ring_used(&plane->events));
    byte_ring_take(&plane->tap, byte_ring_used(&plane->tap));
    for (int kind = 0; kind < OBJECT_KINDS; kind++)
        if (plane->live[kind] != 0)
            abort();
    plane->now = started;
    return 0;
}
