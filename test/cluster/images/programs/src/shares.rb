# As shares.c, in Ruby.
$stdout.sync = true

def clock_us = Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID, :microsecond)

def burn
  value = 1
  i = 0
  while i < 1000
    value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    i += 1
  end
  value
end

def burn_for(us)
  start = now = clock_us
  while now - start < us
    burn
    now = clock_us
  end
  now - start
end

def sixty_percent(us)
  burn_for(us)
end

def thirty_percent(us)
  burn_for(us)
end

def ten_percent(us)
  burn_for(us)
end

def work
  sixty = thirty = ten = budget = turn = 0
  printed = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  loop do
    budget += 17000 + turn * 5 % 13 * 1000
    turn += 1
    sixty += sixty_percent(budget * 60 / 100 - sixty)
    thirty += thirty_percent(budget * 30 / 100 - thirty)
    ten += ten_percent(budget * 10 / 100 - ten)
    now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    next if now - printed < 1
    printed = now
    puts "spent sixty_percent=#{sixty} thirty_percent=#{thirty} ten_percent=#{ten} us"
  end
end

work
