/** How loud a microphone is: 0 to 1, about 30 times a second, until the function returned is called. */
export function measureLevel(track: MediaStreamTrack, say: (level: number) => void): () => void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // -60 dB to 0 dB full scale
    say(Math.min(1, Math.max(0, 1 + Math.log10(power + 1e-9) / 6)));
  }, 33);
  return () => {
    clearInterval(timer);
    say(0);
    void context.close();
  };
}
