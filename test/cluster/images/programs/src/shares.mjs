// As shares.c, in JavaScript. Node has no clock of a thread; beside its first thread the process does next to nothing.
import { writeSync } from 'node:fs';

const clockUs = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

function burn(seed) {
  let value = seed;
  for (let i = 0; i < 30000; i += 1) value = (Math.imul(value, 1103515245) + 12345) & 0x7fffffff;
  return value;
}

let state = 0;

function burn_for(us) {
  const start = clockUs();
  let now = start;
  while (now - start < us) {
    state = burn(state);
    now = clockUs();
  }
  return now - start;
}

function sixty_percent(us) {
  return burn_for(us);
}

function thirty_percent(us) {
  return burn_for(us);
}

function ten_percent(us) {
  return burn_for(us);
}

function work() {
  let [sixty, thirty, ten, budget, printed] = [0, 0, 0, 0, Date.now()];
  for (let round = 0; ; round += 1) {
    budget += 17000 + ((round * 5) % 13) * 1000;
    sixty += sixty_percent(budget * 0.6 - sixty);
    thirty += thirty_percent(budget * 0.3 - thirty);
    ten += ten_percent(budget * 0.1 - ten);
    if (Date.now() - printed < 1000) continue;
    printed = Date.now();
    const line = `spent sixty_percent=${sixty} thirty_percent=${thirty} ten_percent=${ten} us\n`;
    writeSync(1, line);
  }
}

work();
