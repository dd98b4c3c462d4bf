%% As shares.c, in Erlang. The runtime counts the CPU time of all its threads by the millisecond: it is started with one that works.
-module(shares).
-export([main/0]).

clock_us() ->
    {Milliseconds, _} = erlang:statistics(runtime),
    Milliseconds * 1000.

burn(0, Value) -> Value;
burn(Left, Value) -> burn(Left - 1, (Value * 1103515 + 12345) band 16#7FFFFFFF).

burn_until(End) ->
    1 = burn(100000, 1) div 16#7FFFFFFF + 1,
    Now = clock_us(),
    if
        Now < End -> burn_until(End);
        true -> Now
    end.

burn_for(Us) ->
    Start = clock_us(),
    burn_until(Start + Us) - Start.

%% A function whose last step is a call leaves no frame for itself.
sixty_percent(Us) -> [burn_for(Us)].
thirty_percent(Us) -> [burn_for(Us)].
ten_percent(Us) -> [burn_for(Us)].

work(Sixty, Thirty, Ten, Budget, Turn, Printed) ->
    More = Budget + 17000 + Turn * 5 rem 13 * 1000,
    [SpentSixty] = sixty_percent(More * 60 div 100 - Sixty),
    [SpentThirty] = thirty_percent(More * 30 div 100 - Thirty),
    [SpentTen] = ten_percent(More * 10 div 100 - Ten),
    S = Sixty + SpentSixty,
    T = Thirty + SpentThirty,
    N = Ten + SpentTen,
    Now = erlang:monotonic_time(second),
    case Now > Printed of
        true -> io:format("spent sixty_percent=~b thirty_percent=~b ten_percent=~b us~n", [S, T, N]);
        false -> ok
    end,
    work(S, T, N, More, Turn + 1, Now).

main() -> work(0, 0, 0, 0, 0, erlang:monotonic_time(second)).
