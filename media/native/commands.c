/* What Python asks for, in its order: a ring that one side writes (the GIL serialises it) and the plane reads. */

#include "plane.h"

#define COMMANDS_A_TURN 256 /* packets get their turn between */

bool commands_push(struct plane *plane, const struct command *command)
{
    uint64_t written = atomic_load_explicit(&plane->commands_written, memory_order_relaxed);
    if (written - atomic_load_explicit(&plane->commands_read, memory_order_acquire) == COMMANDS)
        return false;
    plane->commands[written % COMMANDS] = *command;
    atomic_store_explicit(&plane->commands_written, written + 1, memory_order_release);
    wake(plane->command_event);
    return true;
}

/* Whose packet it is, by its SSRC; of encoding 0 where that says nothing. */
static struct encoding *encoding_of(struct producer *producer, const uint8_t *packet, size_t size)
{
    for (int i = 1; size >= 12 && i < producer->encoding_count; i++)
        if (producer->encodings[i].ssrc == read_32(packet + 8))
            return &producer->encodings[i];
    return &producer->encodings[0];
}

/* A burst of plain packets: each after its size, 16 bits. */
static void inject(struct plane *plane, struct producer *producer, struct block *block, int64_t time)
{
    size_t at = 0;
    while (at < block->size) {
        uint16_t size = (uint16_t)(block->data[at] << 8 | block->data[at + 1]);
        uint8_t *packet = block->data + at + 2;
        ingress(plane, encoding_of(producer, packet, size), packet, size, time, false);
        at += 2u + size;
    }
    fan_out(plane);
}

static void send_datagram(struct plane *plane, const struct address *address, const struct block *block)
{
    struct sockaddr_storage name;
    struct stream *stream = address->tcp ? stream_find(plane, address) : NULL;
    socklen_t size = address->tcp ? 0 : address_to_socket(address, plane->family, &name);
    if (stream != NULL)
        stream_put(plane, stream, block->data, block->size, false);
    else if (size == 0)
        drop(plane, DROP_SEND_FAILED);
    else
        send_now(plane, &name, size, block->data, block->size);
}

static void send_to(struct plane *plane, struct transport *transport, const struct block *block)
{
    if (transport->name_size == 0)
        drop(plane, DROP_SEND_FAILED);
    else
        send_to_transport(plane, transport, block->data, block->size);
}

static void set_paused(struct plane *plane, struct consumer *consumer, bool paused)
{
    if (paused) {
        pacer_discard(plane, consumer, DROP_PAUSED);
        consumer->state = CONSUMER_PAUSED;
        consumer->selection.holding = false;
    } else if (consumer->state == CONSUMER_PAUSED) {
        consumer->state = CONSUMER_AWAITING;
    }
}

/* A part of a transport that Python has made because it is needed from now on. */
static void attach(struct transport *transport, enum part part, void *made)
{
    if (part == PART_ARRIVALS) {
        transport->arrivals = made;
        transport->arrivals->transport = transport;
    } else if (part == PART_SENT) {
        transport->sent = made;
        sent_start(transport->sent);
        transport->wide_sequence = (uint16_t)transport->sent->next;
    } else {
        transport->pacer = made;
        transport->pacer->transport = transport;
        pacer_start(transport->pacer);
    }
}

static void carry_out(struct plane *plane, struct command *command)
{
    struct transport *transport = command->subject;
    switch (command->kind) {
    case COMMAND_ADD_TRANSPORT:
        add_transport(plane, transport);
        break;
    case COMMAND_VALIDATE_ADDRESS:
        validate_address(plane, transport, &command->address, command->flag);
        break;
    case COMMAND_SET_KEYS:
        transport->receive_session = command->receive_session;
        transport->send_session = command->send_session;
        break;
    case COMMAND_REMOVE_TRANSPORT:
        remove_transport(plane, transport);
        break;
    case COMMAND_ADD_PRODUCER:
        add_producer(plane, command->subject);
        break;
    case COMMAND_MOVE_PRODUCER:
        move_producer(plane, command->subject, command->part, (const struct stream_spec *)command->block->data);
        break;
    case COMMAND_REMOVE_PRODUCER:
        remove_producer(plane, command->subject);
        break;
    case COMMAND_SET_TAP:
        ((struct producer *)command->subject)->tapped = command->flag;
        tap_forget(command->subject, -1);
        break;
    case COMMAND_SET_LOW_TAP:
        tap_low_choose(command->subject, command->number[0]);
        break;
    case COMMAND_SET_ENCODING:
        set_encoding(plane, &((struct producer *)command->subject)->encodings[command->number[0]], command->ssrc,
                     command->rtx_ssrc);
        break;
    case COMMAND_SET_TIMESTAMP_OFFSET: {
        struct encoding *encoding = &((struct producer *)command->subject)->encodings[command->number[0]];
        encoding->timestamp_offset = command->ssrc;
        encoding->offset_known = true;
        encoding->continues = false;
        note(&encoding->told_offset, (uint64_t)command->ssrc + 1);
        break;
    }
    case COMMAND_SET_CAPTURE_OFFSET:
        ((struct producer *)command->subject)->capture_offset = command->time;
        ((struct producer *)command->subject)->capture_offset_set = true;
        break;
    case COMMAND_SET_LAYER:
        layers_want(plane, command->subject, command->layer);
        break;
    case COMMAND_ADD_CONSUMER:
        add_consumer(plane, command->subject);
        break;
    case COMMAND_SET_PAUSED:
        set_paused(plane, command->subject, command->flag);
        break;
    case COMMAND_REMOVE_CONSUMER:
        remove_consumer(plane, command->subject);
        break;
    case COMMAND_INJECT:
        inject(plane, command->subject, command->block, command->time);
        break;
    case COMMAND_SEND_DATAGRAM:
        send_datagram(plane, &command->address, command->block);
        break;
    case COMMAND_SEND_TO:
        send_to(plane, transport, command->block);
        break;
    case COMMAND_SEND_RTCP:
        send_rtcp(plane, transport, command->block->data, command->block->size);
        break;
    case COMMAND_SET_ROUND_TRIP:
        transport->round_trip = command->time;
        break;
    case COMMAND_ATTACH:
        attach(transport, (enum part)command->number[0], command->part);
        break;
    case COMMAND_SET_PACING:
        if (transport->pacer != NULL)
            pacer_set_rate(plane, transport->pacer, command->time);
        break;
    case COMMAND_PROBE:
        probe_begin(plane, transport, command->number[0], command->time, command->number[1]);
        break;
    case COMMAND_SET_FEC:
        protection_set_share(((struct consumer *)command->subject)->protection, (int)command->time);
        break;
    case COMMAND_ADOPT_STREAM:
        stream_adopt(plane, command->subject);
        break;
    case COMMAND_FORGET_ADDRESS:
        transport = address_table_find(&plane->addresses, &command->address);
        if (transport != NULL)
            lose_address(plane, transport, &command->address);
        break;
    case COMMAND_STOP:
        plane->stopping = true;
        break;
    }
    if (command->block != NULL)
        retire(plane, command->block);
}

void commands_carry_out(struct plane *plane)
{
    uint64_t read = atomic_load_explicit(&plane->commands_read, memory_order_relaxed);
    uint64_t written = atomic_load_explicit(&plane->commands_written, memory_order_acquire);
    for (int i = 0; i < COMMANDS_A_TURN && read != written; i++) {
        struct command command = plane->commands[read % COMMANDS];
        atomic_store_explicit(&plane->commands_read, ++read, memory_order_release);
        carry_out(plane, &command);
    }
}
