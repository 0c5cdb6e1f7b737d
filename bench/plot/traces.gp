# traces.gp: gnuplot -e "data='traces.dat'; out='traces.svg'" traces.gp
set terminal svg size 1000,520 font 'sans-serif,12' background '#ffffff'
set output out
set datafile separator '\t'
set style data histogram
set style histogram clustered gap 1.5
set style fill solid 0.9 noborder
set boxwidth 0.9
set ylabel 'percent fewer misses than exact LRU'
set grid ytics lc rgb '#dddddd'
set xzeroaxis lt -1
set xtics border out nomirror rotate by 90 right scale 0 noenhanced
set bmargin 10
set key outside top center horizontal noenhanced
set title 'Misses against exact LRU at a cache of so much of the keys: higher is better'
plot for [i=2:4] data using i:xtic(1) title columnheader(i) lc rgb word('#c9c9c9 #1b6ca8 #a3c9a8', i - 1)
