# peers.gp: gnuplot -e "data='peers.dat'; out='peers.svg'" peers.gp
set terminal svg size 1000,520 font 'sans-serif,12' background '#ffffff'
set output out
set datafile separator '\t'
set datafile missing '?'
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set logscale y
set yrange [10:*]
set format y '%.0f'
set ylabel 'nanoseconds an operation (logarithmic)'
set grid ytics lc rgb '#dddddd'
set xtics rotate by 28 right scale 0 noenhanced
set key outside top center horizontal noenhanced
set title 'One reader, median of interleaved rounds: lower is better'
plot for [i=2:5] data using i:xtic(1) title columnheader(i) lc rgb word('#1b6ca8 #4fa3d1 #a3c9a8 #e0a458', i - 1)
