/** The replay's own class with players that only pretend: what it has them do, and what it says of what they show. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Camera } from '../src/replay/description';
import { Bench, camera, forgetRequests, pretendNoMore, pretendPlayers, PretendedSource, server } from './fakes/players';

beforeAll(pretendPlayers);
afterAll(pretendNoMore);
beforeEach(forgetRequests);

describe('a seek', () => {
  it('goes by way of the key frame, and says of which moment each picture is', async () => {
    const bench = await new Bench(camera(7)).open();
    const { replay, main } = bench;
    replay.seek(58.5);
    bench.tick();
    expect(main.jumps).toEqual([50.002]);
    expect(replay.position).toBe(58.5);
    // the picture from before is still there
    expect(replay.moments).toEqual([0.5]);
    main.show(50);
    bench.tick();
    expect(replay.moments).toEqual([50.5]);
    expect(replay.rtpTimestamp).toBe(1000 + 50 * 90_000);
    expect(main.jumps).toEqual([50.002, 58]);
    bench.tick(500);
    expect(replay.lagging).toEqual([true]);
    expect(replay.position).toBe(58.5);
    main.show(58);
    bench.tick();
    expect([replay.moments, replay.lagging]).toEqual([[null], [false]]);
    expect(replay.rtpTimestamp).toBe(1000 + 58 * 90_000);
    expect(main.jumps).toEqual([50.002, 58]);
  });

  it('asks for nothing behind the wished picture until it is there', async () => {
    const bench = await new Bench(camera(7)).open();
    server.fetched = [];
    bench.replay.seek(53.7);
    bench.tick();
    await bench.settle();
    expect(server.fetched).toEqual(['50.m4s', '51.m4s', '52.m4s', '53.m4s']);
    bench.main.show(50);
    bench.tick();
    bench.main.show(53.2);
    bench.tick();
    await bench.settle();
    expect(server.fetched.slice(4)).toEqual([54, 55, 56, 57, 58, 59, 60, 61].map((number) => `${number}.m4s`));
  });

  it('has the sound at the key frame, or its player would wait there for ever', async () => {
    const bench = await new Bench(camera(7, { audio: 8 as Camera['producer'] })).open();
    server.addresses = [];
    bench.replay.seek(58.5);
    bench.tick();
    await bench.settle();
    const sounds = server.addresses.filter((address) => address.includes('/8/')).map((address) => address.split('/').at(-1));
    // one more is asked for while the first comes; of the seconds between nothing
    expect(sounds.filter((name) => name !== '51.m4s')).toEqual(['50.m4s', '58.m4s']);
    bench.main.show(50);
    bench.tick();
    expect(bench.main.jumps.at(-1)).toBe(58);
  });

  it('of a question or a step goes straight to its frame', async () => {
    const bench = await new Bench(camera(7)).open();
    bench.replay.seek(58.5, true);
    bench.tick();
    expect(bench.main.jumps).toEqual([58]);
    bench.main.show(58);
    bench.tick();
    bench.replay.step(-1);
    bench.tick();
    expect(bench.main.jumps.length).toBe(2);
    expect(bench.main.jumps[1]).toBeCloseTo(58 - 0.5 / 60, 2);
  });

  it('that the browser never ends is begun once more, at the key frame and behind it', async () => {
    const bench = await new Bench(camera(7)).open();
    const { replay, main } = bench;
    replay.seek(58.5);
    bench.tick();
    bench.tick(2900);
    expect(main.jumps).toEqual([50.002]);
    bench.tick(200);
    expect(main.jumps).toEqual([50.002, 50.002]);
    main.show(50);
    bench.tick();
    expect(main.jumps.at(-1)).toBe(58);
    // eight seconds of pictures lie before this one
    bench.tick();
    bench.tick(10_900);
    expect(main.jumps.length).toBe(3);
    bench.tick(200);
    expect(main.jumps.slice(3)).toEqual([58]);
    main.show(58);
    bench.tick();
    expect([replay.moments, replay.rtpTimestamp]).toEqual([[null], 1000 + 58 * 90_000]);
  });

  it('of whose frame no page was told shows the marks of the frame that the player has', async () => {
    const bench = await new Bench(camera(7)).open();
    const { replay, main } = bench;
    onTestFinished(() => void vi.stubGlobal('VideoFrame', undefined));
    vi.stubGlobal('VideoFrame', class { timestamp = 51.96e6; close(): void {} });
    replay.seek(52.5, true);
    bench.tick();
    main.seeking = false;
    bench.tick();
    bench.tick(490);
    expect(replay.rtpTimestamp).toBe(1000);
    bench.tick(20);
    expect(replay.rtpTimestamp).toBe(1000 + 51.96 * 90_000);
    expect(main.jumps).toEqual([52]);
  });

  it('that repeats a part goes straight to its beginning', async () => {
    const bench = await new Bench(camera(7)).open();
    const { replay, main } = bench;
    replay.setRange((repeat) => repeat.press(8.5));
    replay.setRange((repeat) => repeat.press(30.5));
    replay.seek(30.4, true);
    bench.tick();
    main.show(29.9);
    replay.toggle();
    bench.tick();
    expect(main.paused).toBe(false);
    main.advance(0.2);
    bench.tick();
    bench.tick();
    expect(main.jumps.at(-1)).toBe(8);
    expect(main.paused).toBe(false);
  });

  it('while it plays stands until the picture is there, and goes on then', async () => {
    const bench = await new Bench(camera(7), camera(9, { participant: 'pt-b', source: 'camera' })).open();
    const { replay, main, videos } = bench;
    replay.toggle();
    bench.tick();
    replay.seek(58.5);
    bench.tick();
    expect(main.paused).toBe(true);
    main.show(50);
    bench.tick();
    bench.tick(1000);
    expect([replay.position, videos[1]?.paused]).toEqual([58.5, true]);
    main.show(58);
    videos[1]?.show(58);
    bench.tick();
    bench.tick();
    expect([main.paused, videos[1]?.paused]).toEqual([false, false]);
    // the smaller picture went straight
    expect(videos[1]?.jumps).toEqual([58]);
  });

  it('that another one follows forgets the first, and another large picture too', async () => {
    const bench = await new Bench(camera(7), camera(9, { participant: 'pt-b', source: 'camera' })).open();
    const { replay, main, videos } = bench;
    replay.seek(58.5);
    bench.tick();
    replay.seek(20.7);
    bench.tick();
    expect(main.jumps).toEqual([50.002, 20.2]);
    main.show(20.2);
    bench.tick();
    bench.tick(1000);
    expect(main.jumps).toEqual([50.002, 20.2]);
    replay.seek(58.5);
    bench.tick();
    replay.setMain(1);
    bench.tick();
    expect(main.jumps.slice(2)).toEqual([50.002, 58]);
    expect(videos[1]?.jumps.at(-1)).toBe(50.002);
    // what the first one shows is none of the second one's business
    main.show(58);
    bench.tick();
    expect(videos[1]?.jumps.at(-1)).toBe(50.002);
  });
});

describe('a player', () => {
  it('is told the end as often as it is there', async () => {
    PretendedSource.ended = 0;
    const bench = await new Bench(camera(7)).open();
    expect(PretendedSource.ended).toBe(0);
    bench.replay.seek(99.5, true);
    bench.tick();
    bench.main.show(99);
    bench.tick();
    await bench.settle();
    expect(PretendedSource.ended).toBe(1);
  });

  it('of the large picture is not behind in the queue of sixteen', async () => {
    const faces = Array.from({ length: 15 }, (_, n) => camera(20 + n, { participant: `pt-${n}`, source: 'camera', audio: (50 + n) as Camera['producer'] }));
    const bench = new Bench(...faces, camera(7, { audio: 8 as Camera['producer'] }));
    expect(bench.replay.cameras[bench.replay.main]?.producer).toBe(7);
    await bench.settle();
    const media = server.addresses.filter((address) => !address.endsWith('.json'));
    // its own come before all that the others have to come, though they were asked for first
    const own = media.findIndex((address) => address.includes('/7/0.m4s'));
    const others = media.findIndex((address) => /\/(2|3|5|6)\d\/1\.m4s/.test(address));
    expect(own).toBeGreaterThan(-1);
    expect(others === -1 || own < others).toBe(true);
    const lists = server.addresses.filter((address) => address.endsWith('.json'));
    expect(lists.length).toBe(32);
    expect(Math.max(...['/7/', '/8/'].map((of) => lists.findIndex((address) => address.includes(of))))).toBeLessThan(6);
  });

  it('whose cookie was too old goes on with another', async () => {
    const bench = new Bench(camera(7));
    server.refused = 1;
    await bench.settle();
    expect(bench.replay.unplayable).toEqual([false]);
    expect(bench.replay.waiting).toEqual([true]);
  });

  it('of which nothing has come yet has no moment', async () => {
    const bench = new Bench(camera(7));
    bench.main.readyState = 0;
    await bench.settle();
    bench.tick();
    expect(bench.replay.moments).toEqual([NaN]);
    bench.tick(500);
    expect(bench.replay.lagging).toEqual([true]);
    bench.main.readyState = 4;
    bench.main.show(0);
    bench.tick();
    expect([bench.replay.moments, bench.replay.lagging]).toEqual([[null], [false]]);
  });
});
